/** A piece of an RTF file. */
export type RtfToken =
  | { kind: 'open' }
  | { kind: 'close' }
  /** A control word such as `\par`, or a symbol such as `\~`, with its number. */
  | { kind: 'word'; name: string; value: number | undefined }
  /** A byte of text in the code page of its font. */
  | { kind: 'byte'; value: number };

/** Yields the pieces of an RTF file. Binary data is skipped. */
export function* readTokens(bytes: Uint8Array): Iterable<RtfToken> {
  let at = 0;
  while (at < bytes.byteLength) {
    const byte = bytes[at] as number;
    if (byte === 0x7b || byte === 0x7d) {
      yield { kind: byte === 0x7b ? 'open' : 'close' };
      at++;
    } else if (byte === 0x5c) {
      const { token, end } = readControl(bytes, at + 1);
      at = end;
      if (token.kind === 'word' && token.name === 'bin') at += Math.max(0, token.value ?? 0);
      else yield token;
    } else {
      // Line ends of the file are no text.
      if (byte !== 10 && byte !== 13 && byte !== 0) yield { kind: 'byte', value: byte };
      at++;
    }
  }
}

const nameLengthMax = 32;
const numberLengthMax = 10;

function readControl(bytes: Uint8Array, start: number): { token: RtfToken; end: number } {
  const first = bytes[start] ?? 0x20;
  if (first === 0x27) {
    const value = Number.parseInt(String.fromCharCode(bytes[start + 1] ?? 0, bytes[start + 2] ?? 0), 16);
    return { token: { kind: 'byte', value: Number.isNaN(value) ? 0x3f : value }, end: start + 3 };
  }
  if (!isLetter(first)) {
    // Escaped braces and backslashes are text.
    if (first === 0x5c || first === 0x7b || first === 0x7d)
      return { token: { kind: 'byte', value: first }, end: start + 1 };
    return { token: { kind: 'word', name: String.fromCharCode(first), value: undefined }, end: start + 1 };
  }
  let at = start;
  let name = '';
  while (at - start < nameLengthMax && isLetter(bytes[at])) name += String.fromCharCode(bytes[at++] as number);
  const isNegative = bytes[at] === 0x2d && isDigit(bytes[at + 1]);
  if (isNegative) at++;
  const digits = at;
  let value = 0;
  while (at - digits < numberLengthMax && isDigit(bytes[at])) value = value * 10 + (bytes[at++] as number) - 0x30;
  const hasValue = at > digits;
  // One space ends the word and belongs to it.
  if (bytes[at] === 0x20) at++;
  return { token: { kind: 'word', name, value: hasValue ? (isNegative ? -value : value) : undefined }, end: at };
}

const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;

const isLetter = (byte: number | undefined) =>
  byte !== undefined && ((byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a));
