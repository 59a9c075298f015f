import { invalidArgument } from '../../base/errors.ts';

/** Levels that a message or a JSON text may nest. Protobuf allows 100; no contract of ragmesh needs a fifth of it. */
export const maxDepth = 64;

/**
 * Refuses a JSON text that would be expensive to parse: too deep, or too many values. One pass over the bytes, which ends
 * at the first excess. Whether the text is JSON at all is for the parser to say. Throws INVALID_ARGUMENT.
 */
export function checkJson(bytes: Uint8Array, maxValues: number): void {
  createJsonCheck(maxValues)(bytes);
}

/** Returns {@link checkJson} for a text whose bytes arrive in pieces: call it with each. */
export function createJsonCheck(maxValues: number): (piece: Uint8Array) => void {
  let depth = 0;
  let values = 1;
  const count = (byte: number | undefined) => {
    if (byte === openList || byte === openObject) {
      if (++depth > maxDepth) throw tooDeep();
      values++;
    } else if (byte === closeList || byte === closeObject) depth--;
    else if (byte === comma) values++;
    if (values > maxValues) throw tooMany(maxValues);
  };
  let isInString = false;
  /** Bytes at the start of the next piece that belong to a backslash before them. */
  let escapedBytes = 0;
  return (bytes) => {
    if (bytes.length === 0) return;
    let at = escapedBytes;
    for (; at < bytes.length; at++) {
      if (isInString) at = endOfString(bytes, at);
      else if (bytes[at] !== quote) {
        count(bytes[at]);
        continue;
      }
      isInString = !isInString || at >= bytes.length;
    }
    escapedBytes = isInString ? Math.max(0, at - bytes.length - 1) : 0;
  };
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Returns the position of the next quote without a backslash before it, or one at the end of the piece or beyond. */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

/** Returns the error for a message that nests too deep. */
export function tooDeep() {
  return invalidArgument(`the message nests deeper than ${maxDepth} levels: send a flatter one`);
}

/** Returns the error for a message of too many values. */
export function tooMany(maxValues: number) {
  return invalidArgument(`the message holds more than ${maxValues} values: send fewer, or several messages`);
}
