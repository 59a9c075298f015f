import { describe, expect, it } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { extractFacts, FACTS_MAX } from './quick-facts.ts';

describe('extractFacts', () => {
  it.each([
    ['7天无理由，7 days, 7-day, 七天', ['7 day']],
    ['十五天 二十三天 两周', ['15 day', '23 day', '2 week']],
    ['¥1,299.00 = 1299元', ['1299 cny']],
    ['3万元, 1.2 million dollars, $5.50', ['30000 cny', '1200000 usd', '5.5 usd']],
    ['50% and 30 percent', ['50 percent', '30 percent']],
    ['2026年11月22日 2026/11/22 Nov 22, 2026 22nd November 2026', ['2026-11-22']],
    ['PPR-9087 ppr_9087 PPR9087', ['ppr9087']],
    ['iPhone15 E-07 v2.1.3', ['iphone15', 'e07', 'v2.1.3']],
    ['IP 10.0.0.1', ['10.0.0.1']],
    ['https://foo.com/a?b=1. A.B@gmail.com', ['https://foo.com/a?b=1', 'a.b@gmail.com']],
    ['order 88231 within 24小时', ['88231', '24 hour']],
    ['no facts here 没有', []],
  ])('reads %j', (text, expected) => {
    expect(extractFacts(text)).toEqual(expected);
  });

  it('reads the same facts in both languages', () => {
    expect(extractFacts('签收后30天内可退，满¥200免运费')).toEqual(
      extractFacts('Return within 30 days; free shipping over 200 yuan'),
    );
  });

  it('stops at its bound', () => {
    expect(extractFacts(Array.from({ length: 2 * FACTS_MAX }, (_, number) => `${number}x`).join(' '))).toHaveLength(
      FACTS_MAX,
    );
  });

  it.each([
    '1'.repeat(100_000),
    'a1-'.repeat(30_000),
    '-.'.repeat(50_000),
    'a@'.repeat(50_000),
    '1,111'.repeat(20_000),
  ])('stays linear on a hostile text', (text) => {
    const started = threadCpuMs();
    extractFacts(text);
    expect(threadCpuMs() - started).toBeLessThan(1_500);
  });
});
