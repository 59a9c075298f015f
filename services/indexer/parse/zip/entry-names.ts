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
  const others = entries.filter((entry) => !isNamed(entry)).map(({ fileNameRaw }) => fileNameRaw);
  const found = others.every(isWestern) ? undefined : detectEncoding(Buffer.concat(others), true)?.charset;
  const decoder = found === 'utf-8' || (found !== undefined && asian.has(found)) ? new TextDecoder(found) : undefined;
  return entries.map((entry) => {
    const { generalPurposeBitFlag, fileNameRaw, extraFields } = entry;
    if (!isNamed(entry) && decoder !== undefined) return decoder.decode(fileNameRaw).replaceAll('\\', '/');
    return getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, false);
  });
}

/**
 * Reports whether a name is ASCII but for a letter here and there, in CP437: `r\x82sum\x82.txt`. Two such bytes are also one character
 * of most Asian encodings, but there they are the most of a name and have neighbors of their kind.
 */
function isWestern(bytes: Uint8Array): boolean {
  const isLetter = (byte = 0) => (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
  // CP437 has its letters at 0x80 to 0xa5, and ß at 0xe1.
  const isAccented = (byte: number) => byte <= 0xa5 || byte === 0xe1;
  const places = [...bytes.keys()].filter((at) => (bytes[at] as number) >= 0x80);
  const isAlone = (at: number) => isAccented(bytes[at] as number) && (bytes[at + 1] ?? 0) < 0x80;
  const letterCount = bytes.filter(isLetter).length;
  return places.length * 2 <= letterCount && places.every(isAlone);
}
