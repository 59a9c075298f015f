import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { frame, readFrames } from './framing.ts';

test('messages come back as they were sent, however the bytes are cut', async () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(messages, fc.integer({ min: 1, max: 11 }), async (sent, size) => {
      const bytes = Buffer.concat(sent.map(frame));
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      expect(await collect(readFrames(Readable.from(chunks)))).toEqual(sent);
    }),
  );
});

test('an end inside a message, and a size that cannot be, are errors', async () => {
  const cut = frame(new Uint8Array(10)).subarray(0, 9);
  await expect(collect(readFrames(Readable.from([cut])))).rejects.toThrow('ended inside a message');
  await expect(collect(readFrames(Readable.from([Buffer.from('ffffffff', 'hex')])))).rejects.toThrow(RangeError);
});
