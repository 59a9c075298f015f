import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { cleanText } from './clean.ts';
import { type SourceFile, UnreadableError } from './parser.ts';

/** Largest file of a format that is read as a whole (Markdown, HTML, plain text), in bytes. */
export const wholeFileBytesMax = 16 << 20;

const headBytes = 2048;

/**
 * Returns the clean text of a whole file. `charsetOf` returns the encoding that the first bytes declare, if the format has such a
 * declaration. Throws UnreadableError if the file is too large or not in the encoding that it declares.
 */
export async function readText(
  file: SourceFile,
  bytes: AsyncIterable<Uint8Array>,
  charsetOf: (head: string) => string | undefined = () => undefined,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of bytes) {
    sizeBytes += part.byteLength;
    if (sizeBytes > wholeFileBytesMax) {
      const message = `a file of this kind is read as one document and may have ${wholeFileBytesMax} bytes: split it`;
      throw new UnreadableError(message, ErrorReason.TOO_LARGE);
    }
    parts.push(part);
  }
  const whole = Buffer.concat(parts);
  const given = /charset\s*=\s*"?([\w-]+)/i.exec(file.mediaType)?.[1];
  const head = () => charsetOf(whole.subarray(0, headBytes).toString('latin1'));
  return cleanText(decode(whole, given ?? markOf(whole) ?? head() ?? 'utf-8'));
}

/** Returns the bytes as text. Throws UnreadableError if they are not valid in that encoding. */
export function decode(bytes: Uint8Array, charset = 'utf-8', line = 0): string {
  const decoder = decoders.get(charset.toLowerCase()) ?? createDecoder(charset);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new UnreadableError(
      `is not valid ${charset.toUpperCase()}: save it as UTF-8`,
      ErrorReason.DOCUMENT_CORRUPT,
      line,
    );
  }
}

const decoders = new Map([['utf-8', new TextDecoder('utf-8', { fatal: true })]]);

function createDecoder(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    throw new UnreadableError(`the encoding "${charset}" is not known: save the file as UTF-8`);
  }
}

function markOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined;
}
