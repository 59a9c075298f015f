import type { Readable } from 'node:stream';

// How the suite speaks with its programs: messages on stdin and stdout, each behind its size as 4 bytes, big-endian.

/** Largest message that is taken; the suite's own are far smaller. */
const maxFrameBytes = 64 << 20;

/** Yields the messages of a stream, to its end. Throws if it ends inside a message. */
export async function* readFrames(input: Readable): AsyncIterable<Uint8Array> {
  let buffer = Buffer.alloc(0);
  for await (const chunk of input as AsyncIterable<Buffer>) {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 4) {
      const size = buffer.readUInt32BE(0);
      if (size > maxFrameBytes) throw new RangeError(`a message of ${size} bytes: at most ${maxFrameBytes} are taken`);
      if (buffer.length < 4 + size) break;
      yield Uint8Array.from(buffer.subarray(4, 4 + size));
      buffer = buffer.subarray(4 + size);
    }
  }
  if (buffer.length > 0) throw new Error(`the input ended inside a message, after ${buffer.length} bytes`);
}

/** A message with its size in front. */
export function frame(message: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(message.length);
  return Buffer.concat([size, message]);
}
