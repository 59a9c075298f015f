import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderMessages, readOrder } from './listwise-prompt.ts';

test('an order is read as places from 0, also inside a fence', () => {
  expect(readOrder('{"order": [2, 3, 1]}', 3)).toEqual([1, 2, 0]);
  expect(readOrder('```json\n{"order": [1, 2]}\n```', 2)).toEqual([0, 1]);
});

test.each([
  ['a number left out', '{"order": [2, 1]}'],
  ['a number twice', '{"order": [1, 2, 2]}'],
  ['a number too many', '{"order": [1, 2, 3, 4]}'],
  ['from 0', '{"order": [0, 1, 2]}'],
  ['numbers as texts', '{"order": ["1", "2", "3"]}'],
  ['no JSON', '[2] > [1] > [3]'],
  ['another shape', '[1, 2, 3]'],
  ['nothing', ''],
  ['null', 'null'],
])('an answer with %s is no order', (_, answer) => {
  expect(readOrder(answer, 3)).toBeUndefined();
});

test('no answer at all passes for an order by chance', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), fc.integer({ min: 2, max: 9 }), (answer, count) => {
      expect(readOrder(answer, count)).toBeUndefined();
    }),
  );
});

test('the passages are numbered, and a long one is cut between characters', () => {
  const candidates = [
    { title: 'Refunds', text: 'Five days.' },
    { title: '', text: '运费😀'.repeat(100) },
  ];
  const [, { text } = { text: '' }] = orderMessages('How long?', candidates, 103);
  expect(text).toContain('[1]\nRefunds\nFive days.');
  expect(text).toContain('[2]\n运费😀');
  expect(text.isWellFormed()).toBe(true);
  expect(text).toContain('Rank all 2 passages.');
});
