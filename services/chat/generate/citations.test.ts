import fc from 'fast-check';
import { expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { createCitationScanner } from './citations.ts';

function scan(pieces: readonly string[], sourceCount: number) {
  const scanner = createCitationScanner(sourceCount);
  const parts = [...pieces.map((piece) => scanner.push(piece)), scanner.end()];
  return { text: parts.map(({ text }) => text).join(''), markers: parts.flatMap(({ markers }) => markers) };
}

test.each<[string, string, number[]]>([
  ['Seven days [1].', 'Seven days [1].', [1]],
  ['七天内可退【2】，运费自理[1]。', '七天内可退[2]，运费自理[1]。', [2, 1]],
  ['Both [1][2] and [2] again.', 'Both [1][2] and [2] again.', [1, 2]],
  ['A list [1, 3] and [1，2、3].', 'A list [1][3] and [1][2][3].', [1, 3, 2]],
  ['Out of range [9].', 'Out of range.', []],
  ['Out of range [0] here', 'Out of range here', []],
  ['Half [9, 2] in', 'Half [2] in', [2]],
  ['A link [1](https://a.b/c) stays', 'A link [1](https://a.b/c) stays', []],
  ['A link [see 1](x) and [2]', 'A link [see 1](x) and [2]', [2]],
  ['In `arr[1]` code', 'In `arr[1]` code', []],
  ['In ``a ` [1] b`` code [2]', 'In ``a ` [1] b`` code [2]', [2]],
  ['```js\narr[1]\n```\nand [1]', '```js\narr[1]\n```\nand [1]', [1]],
  ['~~~\n[1]\n```\n[2]\n~~~\n[3]', '~~~\n[1]\n```\n[2]\n~~~\n[3]', [3]],
  ['  ```\n[1]\n  ```` \n[2]', '  ```\n[1]\n  ```` \n[2]', [2]],
  ['a stray ` tick [1]\nnext line [2]', 'a stray ` tick [1]\nnext line [2]', [2]],
  ['escaped \\[1] and \\` [2]', 'escaped \\[1] and \\` [2]', [2]],
  ['[2024] and [a1] and [1-3] and []', '[2024] and [a1] and [1-3] and []', []],
  ['[[1]]', '[[1]]', [1]],
  ['[1', '[1', []],
  ['ends with [2]', 'ends with [2]', [2]],
  ['ends in space ', 'ends in space ', []],
  ['[1] begins', '[1] begins', [1]],
  ['a ~ b ~~c~~ [1]', 'a ~ b ~~c~~ [1]', [1]],
  [`[${'1,'.repeat(60)}1] [1]`, `[${'1,'.repeat(60)}1] [1]`, [1]],
])('%j is read as %j', (given, text, markers) => {
  expect(scan([given], 3)).toEqual({ text, markers });
});

const fragment = fc.constantFrom(
  ...[
    '[1]',
    '[2]',
    '[9]',
    '[1, 2]',
    '【1】',
    '【3，1】',
    '[',
    ']',
    '(',
    ')',
    ' ',
    '  ',
    '\n',
    '`',
    '``',
    '```',
    '~~~',
    '\\',
    ',',
    '1',
    '退货',
    'a',
  ],
  '[x](y)',
  '[1](z)',
);
const answer = fc.oneof(
  fc.array(fragment, { maxLength: 25 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary' }),
);

test('however the text is cut, it comes out the same, with the same citations', () => {
  fc.assert(
    fc.property(answer, fc.array(fc.nat(), { maxLength: 30 }), (text, cuts) => {
      const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
      const pieces = [...places, text.length].map((end, index) => text.slice(places[index - 1] ?? 0, end));
      expect(scan(pieces, 3)).toEqual(scan([text], 3));
    }),
    { numRuns: 2000 },
  );
});

test('a marker is named only once its text is out, and only with a source', () => {
  fc.assert(
    fc.property(answer, fc.nat(4), (text, sourceCount) => {
      const scanner = createCitationScanner(sourceCount);
      let shown = '';
      for (const character of [...text, undefined]) {
        const scanned = character === undefined ? scanner.end() : scanner.push(character);
        shown += scanned.text;
        for (const marker of scanned.markers) {
          expect(marker).toBeGreaterThanOrEqual(1);
          expect(marker).toBeLessThanOrEqual(sourceCount);
          expect(shown).toContain(`[${marker}]`);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test('text without markers comes out as it went in', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[[【]/g, '')),
      (text) => {
        expect(scan([...text], 3)).toEqual({ text, markers: [] });
      },
    ),
  );
});

test('a long text of brackets and ticks takes linear time', () => {
  for (const piece of ['[', '[1', ' ', '`', '[1]', '\\']) {
    const startedAt = threadCpuMs();
    scan([piece.repeat(100_000)], 3);
    expect(threadCpuMs() - startedAt).toBeLessThan(3000);
  }
});
