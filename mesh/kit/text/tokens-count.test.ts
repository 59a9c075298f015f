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
});
