import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openBytes, openRange, sealBytes, sealStream } from './sealed-file.ts';

const key = { database: '', file: new Uint8Array(randomBytes(32)) };
const partBytes = 64 * 1024;
const sizes = [0, 1, 1000, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes, 3 * partBytes + 7];

async function* chunksOf(bytes: Uint8Array, sizeBytes: number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes);
}
const sealed = async (bytes: Uint8Array, chunkBytes = 10_000) => {
  const parts: Uint8Array[] = [];
  for await (const part of sealStream(key, chunksOf(bytes, chunkBytes))) parts.push(part);
  return Buffer.concat(parts);
};

test('a stream of any size and any chunks comes back, also as a range', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...sizes),
      fc.constantFrom(777, 10_000, partBytes, 5 * partBytes),
      fc.nat(4 * partBytes),
      fc.nat(4 * partBytes),
      async (sizeBytes, chunkBytes, offset, length) => {
        const plain = randomBytes(sizeBytes);
        const file = await sealed(plain, chunkBytes);
        expect(openBytes(key, file).equals(plain)).toBe(true);
        const readAt = async (start: number, count: number) => file.subarray(start, start + count);
        const range = await openRange(key, file.length, readAt, offset, length);
        expect(Buffer.from(range).equals(plain.subarray(offset, offset + length))).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

test('the bytes of a small file are those that a stream would have, and never the same twice', async () => {
  for (const sizeBytes of sizes) {
    const plain = randomBytes(sizeBytes);
    const file = sealBytes(key, plain);
    expect(file.length).toBe((await sealed(plain)).length);
    expect(openBytes(key, file).equals(plain)).toBe(true);
    expect(sealBytes(key, plain).equals(file)).toBe(false);
  }
});

test('a file that was changed, cut, reordered or is of another folder is refused', async () => {
  const plain = randomBytes(3 * partBytes);
  const file = await sealed(plain);
  const header = 24;
  const part = partBytes + 16;
  const partAt = (index: number) => file.subarray(header + index * part, header + (index + 1) * part);
  const damaged = {
    changed: Buffer.from(file.map((byte, index) => (index === 5000 ? byte ^ 1 : byte))),
    'another salt': Buffer.from(file.map((byte, index) => (index === 10 ? byte ^ 1 : byte))),
    'cut at a part': file.subarray(0, header + 2 * part),
    'cut in a part': file.subarray(0, -1),
    reordered: Buffer.concat([file.subarray(0, header), partAt(1), partAt(0), partAt(2)]),
    empty: Buffer.alloc(0),
    plain,
  };
  for (const [name, bytes] of Object.entries(damaged)) expect(() => openBytes(key, bytes), name).toThrow();
  const other = { database: '', file: new Uint8Array(randomBytes(32)) };
  expect(() => openBytes(other, file)).toThrow();
});
