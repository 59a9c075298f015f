import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { cleanText } from './clean.ts';
import { detectEncoding, isValid, markOf } from './encoding/detect.ts';
import { noted, type Parsed, type SourceFile, UnreadableError } from './parser.ts';

// The one place in which bytes of a file become text. The encoding is the one that the upload names (`text/plain; charset=gbk`), else a
// byte order mark, else the one that the file declares, else it is found by the bytes.

/** Largest file of a format that is read as a whole (Markdown, HTML, plain text), in bytes. */
export const wholeFileBytesMax = 16 << 20;

const headBytes = 2048;
/** Bytes by which the encoding of a list is found, before its first record is read. */
const streamHeadBytes = 1 << 20;

/** The text of a file, and what its parser must yield about it. */
export interface ReadText {
  text: string;
  notes: readonly Parsed[];
}

/**
 * Returns the clean text of a whole file. `charsetOf` returns the encoding that the first bytes declare, if the format has such a
 * declaration. Throws UnreadableError if the file is too large, or is not in the encoding that the upload names or in any other.
 */
export async function readText(
  file: SourceFile,
  bytes: AsyncIterable<Uint8Array>,
  charsetOf: (head: string) => string | undefined = () => undefined,
): Promise<ReadText> {
  const whole = await readWhole(bytes, wholeFileBytesMax);
  const head = () => charsetOf(whole.subarray(0, headBytes).toString('latin1'));
  return decodeWhole(whole, charsetParameterOf(file.mediaType), head);
}

/** Returns the bytes of a file. Throws UnreadableError if they are more than `bytesMax`. */
export async function readWhole(bytes: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of bytes) {
    sizeBytes += part.byteLength;
    if (sizeBytes > bytesMax) {
      const message = `a file of this kind is read as one document and may have ${bytesMax} bytes: split it`;
      throw new UnreadableError(message, ErrorReason.TOO_LARGE);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Returns the clean text of bytes. `given`: the encoding that the upload names; `declared`: the one that the file names. */
export function decodeWhole(bytes: Uint8Array, given?: string, declared?: () => string | undefined): ReadText {
  const { text, notes } = decodeRaw(bytes, given, declared);
  return { text: cleanText(text), notes };
}

/** Returns the text of bytes as it is, for formats in which controls and line ends have a meaning. */
export function decodeRaw(
  bytes: Uint8Array,
  given?: string,
  declared: () => string | undefined = () => undefined,
): ReadText {
  if (given !== undefined) return { text: decode(bytes, given), notes: [] };
  const mark = markOf(bytes);
  if (mark !== undefined) return { text: decode(bytes, mark), notes: [] };
  const inFile = knownLabel(declared());
  if (inFile !== undefined && !isUtf8Instead(bytes, inFile)) {
    const read = decodeDamaged(bytes, inFile);
    if (read !== undefined) return read;
  }
  const found = detectEncoding(bytes, true);
  if (found === undefined) {
    const read = decodeDamaged(bytes, 'utf-8');
    if (read === undefined || read.notes.length === 0) throw notText('utf-8');
    return read;
  }
  const isContrary = inFile !== undefined && inFile !== found.charset;
  const notes = found.isDoubtful || isContrary ? [guessed(found.charset)] : [];
  return { text: decode(bytes, found.charset), notes };
}

/** Returns the text of bytes that are in an encoding but for a few, as a browser shows them; `undefined` if more are damaged. */
function decodeDamaged(bytes: Uint8Array, charset: string): ReadText | undefined {
  const text = createDecoder(charset, false).decode(bytes);
  const damagedCount = text.match(/\uFFFD/g)?.length ?? 0;
  if (damagedCount > (text.match(/[^\p{ASCII}]/gu)?.length ?? 0) / 50) return undefined;
  return { text, notes: damagedCount > 0 ? [guessed(charset)] : [] };
}

/** The bytes of a list as UTF-8 without a mark, in constant memory. */
export interface OpenedText {
  /** Bytes in a wrong encoding stay as they are in UTF-8, and are U+FFFD in others: they fail their record. */
  parts: AsyncIterable<Uint8Array>;
  /** The encoding that the file has. */
  charset: string;
  notes: readonly Parsed[];
}

/** Finds the encoding of a list of records by its first MiB, and returns its bytes as UTF-8. */
export async function openText(file: SourceFile, bytes: AsyncIterable<Uint8Array>): Promise<OpenedText> {
  const iterator = bytes[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let isWhole = false;
  while (head.byteLength < streamHeadBytes && !isWhole) {
    const { value, done } = await iterator.next();
    if (done === true) isWhole = true;
    else head = head.byteLength === 0 ? value : Buffer.concat([head, value]);
  }
  const given = charsetParameterOf(file.mediaType);
  const found = given === undefined ? detectEncoding(head, isWhole) : { charset: given, isDoubtful: false };
  // Without an encoding in which all is text, only the records that are not UTF-8 are damaged.
  const charset = found?.charset ?? 'utf-8';
  const all = async function* () {
    try {
      if (head.byteLength > 0) yield head;
      if (!isWhole) for await (const part of { [Symbol.asyncIterator]: () => iterator }) yield part;
    } finally {
      await iterator.return?.();
    }
  };
  const parts = charset === 'utf-8' ? withoutMark(all()) : recode(all(), createDecoder(charset, false));
  return { parts, charset, notes: found?.isDoubtful ? [guessed(charset)] : [] };
}

async function* withoutMark(parts: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let isFirst = true;
  for await (const part of parts) {
    // The first part is the whole head, so a mark is not split.
    yield isFirst && markOf(part) === 'utf-8' ? part.subarray(3) : part;
    isFirst = false;
  }
}

async function* recode(parts: AsyncIterable<Uint8Array>, decoder: TextDecoder): AsyncIterable<Uint8Array> {
  for await (const part of parts) yield Buffer.from(decoder.decode(part, { stream: true }));
  yield Buffer.from(decoder.decode());
}

/** Returns the bytes as text. Throws UnreadableError if they are not valid in that encoding. */
export function decode(bytes: Uint8Array, charset = 'utf-8', line = 0): string {
  const decoder = decoders.get(charset.toLowerCase()) ?? createDecoder(charset, true);
  try {
    return decoder.decode(bytes);
  } catch {
    throw notText(charset, line);
  }
}

/** Returns bytes of an opened text as text. Throws UnreadableError if they were damaged in its encoding. */
export function decodeRecord(bytes: Uint8Array, charset: string): string {
  const text = decode(bytes);
  if (charset !== 'utf-8' && text.includes('\uFFFD')) throw notText(charset);
  return text;
}

function notText(charset: string, line = 0): UnreadableError {
  return new UnreadableError(`is not valid ${charset.toUpperCase()}: save it as UTF-8`, undefined, line);
}

const decoders = new Map([['utf-8', new TextDecoder('utf-8', { fatal: true })]]);

function createDecoder(charset: string, fatal: boolean): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal });
  } catch {
    throw new UnreadableError(`the encoding "${charset}" is not known: save the file as UTF-8`);
  }
}

/** Returns the encoding that a media type names; `undefined` if it names none. */
export function charsetParameterOf(mediaType: string): string | undefined {
  return /charset\s*=\s*"?([\w-]+)/i.exec(mediaType)?.[1]?.toLowerCase();
}

/** Returns the decoder's name of a label; `undefined` if there is none, because a file can declare anything. */
function knownLabel(label: string | undefined): string | undefined {
  if (label === undefined) return undefined;
  try {
    const { encoding } = new TextDecoder(label);
    // A declaration that could be read as ASCII is not in UTF-16.
    return encoding.startsWith('utf-16') ? 'utf-8' : encoding;
  } catch {
    return undefined;
  }
}

/** Reports whether the bytes are UTF-8 although the file declares another encoding, as pages do that were converted. */
function isUtf8Instead(bytes: Uint8Array, declared: string): boolean {
  if (declared === 'utf-8' || !isValid(bytes, 'utf-8')) return false;
  return (decode(bytes).match(/[^\p{ASCII}]/gu)?.length ?? 0) >= 4;
}

function guessed(charset: string): Parsed {
  const message = `was read as ${charset.toUpperCase()} by its bytes: if that is wrong, save it as UTF-8 or upload it with the media type text/plain; charset=…`;
  return noted(NoteKind.ENCODING_GUESSED, 1, message);
}
