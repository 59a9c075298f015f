import { expect, test } from 'vitest';
import { createPassageTexts, readPassageText } from './passage-texts.ts';

const text = '# Returns\n\nWithin 30 days you may return it.\n\n- free of charge\n- at any shop\n';

test('a passage that was read before is known, and is what a new reading gives', () => {
  const read = createPassageTexts(1_000_000);
  const first = read('Returns', 'Help', text);
  expect(read('Returns', 'Help', text)).toBe(first);
  expect(first).toEqual(readPassageText('Returns', 'Help', text));
});

test('the same text below another title is another passage', () => {
  const read = createPassageTexts(1_000_000);
  read('Returns', 'Help', text);
  const sentence = 'Within 30 days you may return it.';
  const other = read(sentence, 'Help', text);
  expect(other).toEqual(readPassageText(sentence, 'Help', text));
  expect(other.units.map((unit) => unit.text)).not.toContain(sentence);
  expect(read('Returns', 'Shop', text).path.plain).toBe('shop');
});

test('what it keeps is bounded', () => {
  const read = createPassageTexts(10_000);
  const first = read('Returns', 'Help', text);
  for (let index = 0; index < 20; index++) read('Returns', 'Help', `${text}\n${index}`);
  expect(read('Returns', 'Help', text)).not.toBe(first);
});
