import { type Entry, getFileNameLowLevel } from 'yauzl';
import { detectEncoding } from '../encoding/detect.ts';

const isUtf8 = 1 << 11;
const unicodePathField = 0x7075;
/** Encodings of systems that write names in their own, without a flag; others write CP437. */
const asian = new Set(['gb18030', 'big5', 'shift_jis', 'euc-kr', 'euc-jp']);

/**
 * Returns the names of entries: UTF-8 if the archive says so, otherwise in the encoding that all other names together are in. One name
 * is too short to find it.
 */
export function decodeNames(entries: readonly Entry[]): string[] {
  const isNamed = ({ generalPurposeBitFlag, extraFields }: Entry) =>
    (generalPurposeBitFlag & isUtf8) !== 0 || extraFields.some(({ id }) => id === unicodePathField);
  const others = Buffer.concat(entries.filter((entry) => !isNamed(entry)).map(({ fileNameRaw }) => fileNameRaw));
  const found = detectEncoding(others, true)?.charset;
  const decoder = found === 'utf-8' || (found !== undefined && asian.has(found)) ? new TextDecoder(found) : undefined;
  return entries.map((entry) => {
    const { generalPurposeBitFlag, fileNameRaw, extraFields } = entry;
    if (!isNamed(entry) && decoder !== undefined) return decoder.decode(fileNameRaw).replaceAll('\\', '/');
    return getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, false);
  });
}
