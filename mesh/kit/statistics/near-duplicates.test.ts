import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNearDuplicate, overlapOf, sketchOf } from './near-duplicates.ts';

const of = (text: string) => ({ text, sketch: sketchOf(text) });
const long =
  'You can return any item within fifteen days of delivery. The parcel must hold everything that came with it. ' +
  'We refund the price once our warehouse has looked at it, by the way that you paid.';

test.each([
  ['case, spaces and punctuation', long, `  ${long.toUpperCase().replaceAll(' ', '  ').replaceAll('.', '!')}`],
  ['a few letters of a long text', long, long.replace('once our', 'when our')],
  ['nothing', '签收后可以申请退货，运费由卖家承担。', '签收后可以申请退货，运费由卖家承担'],
])('texts that differ by %s are nearly the same', (_, a, b) => {
  expect(isNearDuplicate(of(a), of(b))).toBe(true);
});

test.each([
  [
    'a number',
    long,
    long.replace('fifteen', '15').concat(' Code E-07.'),
    long.replace('fifteen', '15').concat(' Code E-08.'),
  ],
  ['a negation', '', long, long.replace('can return', 'cannot return')],
  [
    'a Chinese negation',
    '',
    `${'这款商品支持七天无理由退货，请保留包装。'.repeat(4)}支持换货`,
    `${'这款商品支持七天无理由退货，请保留包装。'.repeat(4)}不支持换货`,
  ],
])('texts that differ by %s are not', (_name, _base, a, b) => {
  expect(isNearDuplicate(of(a), of(b))).toBe(false);
});

test('the overlap is about the share of shingles that texts have in common', () => {
  const words = (from: number, to: number) =>
    Array.from(
      { length: to - from },
      (_, n) => `word${String.fromCharCode(97 + ((from + n) % 26))}${'q'.repeat((from + n) % 7)}${(from + n) * 7919}`,
    ).join(' ');
  expect(overlapOf(sketchOf(words(0, 100)), sketchOf(words(200, 300)))).toBeLessThan(0.3);
  const half = overlapOf(sketchOf(words(0, 100)), sketchOf(words(33, 133)));
  expect(half).toBeGreaterThan(0.3);
  expect(half).toBeLessThan(0.7);
});

test('a text overlaps itself wholly, whatever it is, and one without letters nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect([0, 1]).toContain(overlapOf(sketchOf(text), sketchOf(text)));
    }),
  );
  expect(overlapOf(sketchOf('…!?'), sketchOf('…!?'))).toBe(0);
});
