import { invalidArgument } from '../../base/errors.ts';

/** Levels that a message or a JSON text may nest. Protobuf allows 100; no contract of ragmesh needs a fifth of it. */
export const maxDepth = 64;

/**
 * Refuses a JSON text that would be expensive to parse: too deep, or too many values. One pass over the bytes, which ends
 * at the first excess. Whether the text is JSON at all is for the parser to say. Throws INVALID_ARGUMENT.
 */
export function checkJson(bytes: Uint8Array, maxValues: number): void {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case 0x22: // A string ends at the next quote without a backslash before it.
        for (at++; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > maxDepth) throw tooDeep();
        if (++values > maxValues) throw tooMany(maxValues);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      case 0x2c: // ,
        if (++values > maxValues) throw tooMany(maxValues);
    }
  }
}

/** Returns the error for a message that nests too deep. */
export function tooDeep() {
  return invalidArgument(`the message nests deeper than ${maxDepth} levels: send a flatter one`);
}

/** Returns the error for a message of too many values. */
export function tooMany(maxValues: number) {
  return invalidArgument(`the message holds more than ${maxValues} values: send fewer, or several messages`);
}
