import { expect, test } from 'vitest';
import { readQuestion } from '../question.ts';
import { isReplaced, learnWords, unsharedWordsOf } from './replacement.ts';

type Pair = [first: string, second: string, isSame: boolean];

const learn = (pairs: readonly Pair[]) =>
  learnWords(
    pairs.map(([first, second, isSame]) => ({
      unshared: unsharedWordsOf(readQuestion(first), readQuestion(second)).flat(),
      isSame,
    })),
  );
const isRefused = (known: ReturnType<typeof learn>, first: string, second: string) =>
  isReplaced(readQuestion(first), readQuestion(second), known);

const apps = ['淘宝', '京东', '抖音', '美团', '滴滴'];
const known = learn([
  // A verb may be another; the place of the money may not.
  ...apps.flatMap((app): Pair[] => [
    [`${app}查看账单`, `${app}查询账单`, true],
    [`${app}用微信付款`, `${app}用银行卡付款`, false],
  ]),
  ...['kettle', 'lamp', 'chair', 'desk', 'sofa'].flatMap((thing): Pair[] => [
    [`Where do I find the manual of the ${thing}`, `Where do I see the manual of the ${thing}`, true],
    [`Return the ${thing} by courier`, `Return the ${thing} by letter`, false],
  ]),
]);

test.each([
  ['微信怎么付款', '银行卡怎么付款'],
  ['微信怎么付款', '支付宝怎么付款'],
  ['查看账单', '查看发票'],
  ['工行储蓄卡付款', '建行储蓄卡付款'],
  ['关闭了怎么开通', '开通了怎么开通'],
  ['微信和微信一样吗', '微信和钉钉一样吗'],
  ['在淘宝查看账单', '在拼多多查询账单'],
  ['Return the lamp by courier', 'Return the lamp by drone'],
  ['Where do I find the manual of the kettle', 'Where do I see the manual of the toaster'],
])('%j and %j: a name replaces another', (first, second) => {
  expect(isRefused(known, first, second)).toBe(true);
  expect(isRefused(known, second, first)).toBe(true);
});

test.each([
  ['怎么查看账单', '如何查询账单'],
  ['微信付款3000元', '请问微信付款3000元吗'],
  ['查看账单', '查看微信账单'],
  ['Where do I find the manual', 'Where do I see the manual'],
])('%j and %j: no name replaces another', (first, second) => {
  expect(isRefused(known, first, second)).toBe(false);
  expect(isRefused(known, second, first)).toBe(false);
});

test('without pairs, no word may replace another', () => {
  expect(isRefused(new Map(), '怎么查看账单', '如何查询账单')).toBe(true);
});
