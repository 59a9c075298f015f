import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { knowsEverything, mutations, paraphrases } from '../../suites/mutations.suite.ts';
import { readQuestion } from '../question.ts';
import { type GuardName, refusalOf, refusalsOf, type VectorKind } from './guards.ts';

const guardsOf = (first: string, second: string): GuardName[] =>
  refusalsOf(readQuestion(first), readQuestion(second), knowsEverything, 'words').map(({ guard }) => guard);

describe('guards', () => {
  test('of 2,000 mutations, guards alone let none through, though they know every word', () => {
    fc.assert(
      fc.property(mutations, ({ first, second }) => guardsOf(first, second).length > 0),
      { numRuns: 2000, seed: 20261122 },
    );
    fc.assert(
      fc.property(mutations, ({ first, second }) => guardsOf(first, second).length > 0),
      { numRuns: 500 },
    );
  });

  test('no question of the sample passes for itself denied, or with another number, date or product', () => {
    const sample = readFileSync(new URL('../../../../deployments/sample-gold/queries.jsonl', import.meta.url), 'utf8');
    const questions = sample
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { text: string }).text);
    let count = 0;
    for (const question of questions) {
      for (const [first, second] of variantsOf(question)) {
        if (first === second) continue;
        count++;
        expect(guardsOf(first, second), `${first} | ${second}`).not.toEqual([]);
      }
    }
    expect(count).toBeGreaterThan(250);
  });

  test.each(paraphrases)('%j and %j may be one', (first, second) => {
    expect(guardsOf(first, second)).toEqual([]);
    expect(guardsOf(second, first)).toEqual([]);
  });

  test.each<[GuardName, string, string]>([
    ['language', '退款几天到账', 'how many days until the refund'],
    ['language', 'привет мир', 'привет мир'],
    ['negation', '为什么不能还款', '为什么能还款'],
    ['negation', '不能还款但是能借款', '能还款但是不能借款'],
    ['negation', "why can't I pay", 'why can I pay'],
    ['opposite', '怎么开通免密支付', '怎么关闭免密支付'],
    ['opposite', 'How do I enable alerts', 'How do I turn off alerts'],
    ['opposite', 'subscribe to the letter', 'unsubscribe from the letter'],
    ['number', '借三千元', '借5000元'],
    ['number', '满100元', '满100美元'],
    ['number', '百分之五的手续费', '6%的手续费'],
    ['number', '2000一天利息多少', '20001天利息多少'],
    ['number', 'three days', '3 weeks'],
    ['time', '周一发货吗', '周二发货吗'],
    ['time', '11月22日', '11月23日'],
    ['time', 'open at 3pm', 'open at 4pm'],
    ['time', 'May 3', 'June 3'],
    ['code', 'PPR-9087的说明书', 'PPR-9078的说明书'],
    ['name', '微信怎么绑定QQ', '微信怎么绑定'],
    ['name', 'Is the Heron lamp dimmable', 'Is the Egret lamp dimmable'],
    ['direction', '支付宝转微信', '微信转支付宝'],
    ['direction', 'ship from Paris to Rome', 'ship from Rome to Paris'],
    ['question_type', '为什么提现', '怎么提现'],
    ['question_type', 'when do I pay', 'where do I pay'],
    ['substitution', '退货运费谁出', '换货运费谁出'],
    ['substitution', 'return the sofa', 'return the table'],
    ['length', '请问', '你好'],
  ])('%s keeps %j and %j apart', (guard, first, second) => {
    expect(guardsOf(first, second)).toContain(guard);
    expect(guardsOf(second, first)).toContain(guard);
  });

  test('a word that was never seen in calibration keeps questions apart', () => {
    const nothing = { questionCount: 1, counts: new Map<string, number>(), words: new Map<string, boolean>() };
    const guardWith = (kind: VectorKind) =>
      refusalOf(readQuestion('怎么退货'), readQuestion('沙发怎么退货'), nothing, kind)?.guard;
    expect(guardWith('words')).toBe('rare_word');
    expect(guardWith('meanings')).toBe('domain');
  });

  test('guards are symmetric, and accept every question with itself', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[不没能从到转0-9三千月日周退款换货ab ?？-]{0,30}$/),
    );
    fc.assert(
      fc.property(text, text, (first, second) => {
        expect(guardsOf(first, second)).toEqual(guardsOf(second, first));
        const own = guardsOf(first, first).filter((guard) => !['language', 'length', 'substitution'].includes(guard));
        expect(own).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    '不'.repeat(4000),
    '一'.repeat(4000),
    'a1-'.repeat(1300),
    '1,111'.repeat(800),
    '从到'.repeat(2000),
    'not '.repeat(1000),
    '1月'.repeat(2000),
  ])('stays quick on a hostile text', (text) => {
    const started = threadCpuMs();
    guardsOf(text, `${text}x`);
    expect(threadCpuMs() - started).toBeLessThan(1500);
  });
});

/** Pairs that a question becomes when one thing of it changes. */
function variantsOf(question: string): [first: string, second: string][] {
  const isChinese = /\p{sc=Han}/u.test(question);
  const [numbers, dates, products] = isChinese
    ? [
        ['满300元时，', '满500元时，'],
        ['11月3日，', '11月5日，'],
        ['沙发：', '餐桌：'],
      ]
    : [
        ['Over 300 dollars: ', 'Over 500 dollars: '],
        ['On November 3, ', 'On November 5, '],
        ['For the Heron lamp: ', 'For the Egret lamp: '],
      ];
  const pairs = [numbers, dates, products].map((two): [string, string] => [
    `${two[0]}${question}`,
    `${two[1]}${question}`,
  ]);
  const denied = isChinese
    ? question.replace(/(?<![不没能可])(可以|能|支持|会|要|有)(?![不否没效])/, '不$1')
    : question.replace(/\b(can|is|are|does|do|will)\b/i, '$1 not');
  pairs.push([question, denied], [question, question.replace(/\d+/, (digits) => String(Number(digits) + 1))]);
  return pairs;
}
