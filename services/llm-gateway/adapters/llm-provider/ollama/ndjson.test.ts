import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { NdjsonError, readNdjson } from './ndjson.ts';

async function* chunks(...parts: (Uint8Array | string)[]) {
  for (const part of parts) yield typeof part === 'string' ? new TextEncoder().encode(part) : part;
}

test('the same bytes give the same values wherever they are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ text: fc.string({ unit: 'binary' }), count: fc.integer() }), { maxLength: 8 }),
      fc.array(fc.nat({ max: 200 }), { maxLength: 12 }),
      fc.constantFrom('\n', '\r\n', '\n\n'),
      async (values, cuts, newline) => {
        const bytes = new TextEncoder().encode(values.map((value) => JSON.stringify(value) + newline).join(''));
        const at = [...new Set(cuts.map((cut) => Math.min(cut, bytes.length)))].sort((a, b) => a - b);
        const parts = [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
        expect(await collect(readNdjson(chunks(...parts), 10_000))).toEqual(JSON.parse(JSON.stringify(values)));
      },
    ),
    { numRuns: 80 },
  );
});

test('a character cut in two is one character', async () => {
  const bytes = new TextEncoder().encode('{"a":"退货"}\n');
  for (let cut = 1; cut < bytes.length; cut++) {
    expect(await collect(readNdjson(chunks(bytes.subarray(0, cut), bytes.subarray(cut)), 100))).toEqual([
      { a: '退货' },
    ]);
  }
});

test('a last line without its newline counts if it is complete, and is dropped if it was cut', async () => {
  expect(await collect(readNdjson(chunks('{"a":1}\n{"b":2}'), 100))).toEqual([{ a: 1 }, { b: 2 }]);
  expect(await collect(readNdjson(chunks('{"a":1}\n{"b":'), 100))).toEqual([{ a: 1 }]);
});

test('a line that is too long, in one piece or in many, is an error', async () => {
  const long = JSON.stringify('x'.repeat(200));
  await expect(collect(readNdjson(chunks(`${long}\n`), 100))).rejects.toThrow(NdjsonError);
  await expect(collect(readNdjson(chunks(...long), 100))).rejects.toThrow('longer than 100 bytes');
  expect(await collect(readNdjson(chunks(`${long}\n`), 202))).toHaveLength(1);
});

test('a line that is not JSON is an error that does not repeat it', async () => {
  const thrown = await collect(readNdjson(chunks('{"secret": tr\n'), 100)).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(NdjsonError);
  expect(String(thrown)).not.toContain('secret');
});
