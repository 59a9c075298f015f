import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeText } from './normalize.ts';

describe('normalizeText', () => {
  it.each([
    ['ＡＢＣ１２３，ｉＰｈｏｎｅ', 'abc123,iphone'],
    ['℃ ① ﬁ', '°c 1 fi'],
    ['re\u200Bfund\uFEFF\u00AD', 'refund'],
    ['a\u0000b\u0007c\nd', 'a b c\nd'],
    ['a\uD800b', 'a\uFFFDb'],
    ['CAFE\u0301', 'café'],
  ])('folds %j to %j', (text, expected) => {
    expect(normalizeText(text)).toBe(expected);
  });

  it('maps Han variants by the fold that it is given', () => {
    expect(normalizeText('退貨ABC', (text) => text.replaceAll('貨', '货'))).toBe('退货abc');
  });

  it('is idempotent and well formed for any string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = normalizeText(text);
        expect(normalizeText(once)).toBe(once);
        expect(once.isWellFormed()).toBe(true);
      }),
    );
  });
});
