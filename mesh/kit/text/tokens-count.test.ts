import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { estimateTokens } from './tokens-count.ts';

const texts = [
  '支持7天无理由退货：请在签收后7天内，在“我的订单”中提交退货申请，审核通过后退款将在3个工作日内原路退回。',
  'You can return most items within 30 days of delivery. Refunds are issued to the original payment method in 3–5 business days.',
  '| 型号 | 价格 |\n|---|---|\n| PPR-9087 | ¥1,299.00 |\n| iPhone15 | ¥5,999.00 |',
  '请在 ECS 控制台的 Instances 页面选择目标实例，然后 click Restart。如果 error code 为 E-07，请升级到 v2.1.3。',
];

describe('estimateTokens', () => {
  it.each(texts)('is between the count of o200k_base and 1.5 times it: %j', (text) => {
    const actual = encode(text).length;
    expect(estimateTokens(text)).toBeGreaterThanOrEqual(actual * 0.95);
    expect(estimateTokens(text)).toBeLessThanOrEqual(actual * 1.5);
  });

  it('does not fall for a key or emoji', () => {
    for (const text of ['dGhpcyBpcyBhIHNlY3JldCBrZXkgdGhhdCBpcyBsb25nIGVub3VnaA', '🙂🙂🙂🎉🎉', '9f8c1e77a0b3d2']) {
      expect(estimateTokens(text)).toBeGreaterThanOrEqual(encode(text).length * 0.7);
    }
  });

  it('counts nothing as nothing', () => {
    expect(estimateTokens('')).toBe(0);
  });

  it('counts runs of characters as a regular expression finds them, in every text', () => {
    const unit = fc.oneof(
      fc.constantFrom(...'aZ09 \n\t!~_é、。ー々〇中文，\u00a0\u3000\u0000\u007f\ud83d\ude42', '🙂', '𠮷', '한', 'か'),
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0x10000, max: 0x10ffff }).map((code) => String.fromCodePoint(code)),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 60 }), (units) => {
        const text = units.join('');
        expect(estimateTokens(text)).toBe(estimateByRuns(text));
      }),
      { numRuns: 500 },
    );
  });
});

const runs = /([\p{sc=Han}]+)|([a-zA-Z]+)|(\d+)|(\s+)|([!-~]+)|([^\s!-~\p{sc=Han}]+)/gu;

/** The same count in the words of a regular expression. */
function estimateByRuns(text: string): number {
  let tokens = 0;
  for (const [run, han, word, digits, space, punctuation] of text.matchAll(runs)) {
    if (han !== undefined) tokens += han.length * 0.88;
    else if (word !== undefined) tokens += 1.15 + Math.max(0, word.length - 11) * 0.7;
    else if (digits !== undefined) tokens += Math.ceil(digits.length / 3) * 2.2;
    else if (space !== undefined) tokens += run.length > 1 || run === '\n' ? 0.75 : 0;
    else if (punctuation !== undefined) tokens += Math.ceil(punctuation.length / 2) * 0.8;
    else tokens += run.length;
  }
  return Math.ceil(tokens);
}
