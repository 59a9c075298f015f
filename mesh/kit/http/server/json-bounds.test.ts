import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkJson, createJsonCheck } from './json-bounds.ts';

const text = fc.oneof(
  fc.json(),
  fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', 'a', '\u4e2d') }),
);

test('a text in pieces is judged as the whole', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(200)), (json, cuts) => {
      const bytes = Buffer.from(json);
      const check = createJsonCheck(6);
      const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const inPieces = () => {
        let from = 0;
        for (const end of ends) {
          check(bytes.subarray(from, end));
          from = end;
        }
      };
      expect(failureOf(inPieces)).toBe(failureOf(() => checkJson(bytes, 6)));
    }),
    { numRuns: 1000 },
  );
});

test('brackets and commas in strings do not count', () => {
  expect(failureOf(() => checkJson(Buffer.from(JSON.stringify(['[[[,,,{{{', '\\', '"'])), 4))).toBeUndefined();
  expect(failureOf(() => checkJson(Buffer.from(JSON.stringify([1, 2, 3, 4])), 4))).toMatch(/more than 4 values/);
  expect(failureOf(() => checkJson(Buffer.from('['.repeat(65)), 1000))).toMatch(/deeper than 64/);
});

function failureOf(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
