import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diversify } from './diversify.ts';

const same = 'The warranty of a lamp lasts two years from delivery, batteries excepted.';
const ranked = [
  same,
  `${same} Keep the invoice.`,
  `${same} See below.`,
  'Parcels to remote regions take five days more.',
];
const itself = (text: string) => text;

test('without diversity the order stays', () => {
  expect(diversify(ranked, itself, 0, 3)).toEqual(ranked.slice(0, 3));
});

test('with some, a passage that says something else comes before the third of one kind', () => {
  expect(diversify(ranked, itself, 0.6, 2)).toEqual([ranked[0], ranked[3]]);
});

test('the first stays first, none occurs twice, and none is lost if all are requested', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string(), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (texts, diversity) => {
        const chosen = diversify(texts, itself, diversity, texts.length);
        expect(chosen[0]).toBe(texts[0]);
        expect(chosen.toSorted()).toEqual(texts.toSorted());
      },
    ),
  );
});
