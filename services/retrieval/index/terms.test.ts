import { expect, test } from 'vitest';
import { createTerms, withTerms, wordsOf } from './terms.ts';

const terms = createTerms({
  groups: [
    ['退款', 'refund', 'money back'],
    ['优惠券', 'coupon'],
    ['the', 'of'],
  ],
  protectedTerms: ['流明织物'],
});

test('a term of the question brings the others of its group', () => {
  expect(terms.apply('退款要多久').added).toEqual(['refund', 'money back']);
  expect(terms.apply('How do I get my money back?').added).toEqual(['退款', 'refund']);
});

test('a term is found in its other forms, and in traditional characters', () => {
  expect(terms.apply('Refunds and COUPONS').added).toEqual(['退款', 'money back', '优惠券']);
  expect(terms.apply('優惠券怎麼用').added).toEqual(['coupon']);
});

test('a term is found whole only', () => {
  expect(terms.apply('退了款的 back money').added).toEqual([]);
  expect(terms.apply('').added).toEqual([]);
});

test('a protected term is found, and brings nothing', () => {
  expect(terms.apply('流明织物在哪里')).toEqual({ added: [], protectedTerms: ['流明织物'] });
});

test('added words weigh less than those that were asked', () => {
  const question = '退款 refund fee';
  const words = wordsOf(question, { added: ['money back', 'refund'], protectedTerms: [] }, {});
  expect(words).toEqual([
    { word: '退款', weight: 1 },
    { word: 'refund', weight: 1 },
    { word: 'fee', weight: 1 },
    { word: 'monei', weight: 0.5 },
    { word: 'back', weight: 0.5 },
  ]);
});

test('what reads text gets the other words on a line of their own, as long as they fit', () => {
  expect(withTerms('退款', { added: ['refund', 'money back'], protectedTerms: [] })).toBe('退款\nrefund money back');
  expect(withTerms('x'.repeat(16_384), { added: ['refund'], protectedTerms: [] })).toHaveLength(16_384);
});

test('a long question of many terms gets a bounded number of words', () => {
  const many = createTerms({ groups: Array.from({ length: 500 }, (_, n) => [`a${n}x`, `b${n}y`]), protectedTerms: [] });
  const question = Array.from({ length: 500 }, (_, n) => `a${n}x`).join(' ');
  expect(many.apply(question).added).toHaveLength(24);
});
