import { describe, expect, test } from 'vitest';
import { candidatesOf, noCaller, rerankModelSuite, scoresOf } from '../../../suites/rerank-model.suite.ts';
import { testDeps } from '../../../testing/vendor.ts';
import { adapter } from './index.ts';

const createModel = async () => adapter.create({}, testDeps);
rerankModelSuite('lexical', createModel);

describe('a passage gains by', () => {
  test.each([
    ['a code of the question', 'PPR-9087 reboots', 'The PPR-9087 reboots.', 'The PPR-9086 reboots.'],
    [
      'words near each other',
      'refund card fee',
      'A card refund has a fee.',
      `A refund. ${'x y z '.repeat(20)} Fee. Card.`,
    ],
    ['words in the order of the question', 'power bank return', 'power bank return', 'return bank power'],
    ['Chinese words in their order', '积分过期时间', '积分过期时间是年底', '时间积分到年底过期'],
    [
      'words of the question at its beginning',
      'refund fee',
      `The refund has a fee. ${'Other words follow here. '.repeat(20)}`,
      `${'Other words come before. '.repeat(20)} The refund has a fee.`,
    ],
    ['Chinese words more than pairs across their borders', '首次登录', '首次使用', '一次登山'],
  ])('%s', async (_, query, better, worse) => {
    const [worseScore, betterScore] = await scoresOf(await createModel(), query, [{ text: worse }, { text: better }]);
    expect(betterScore).toBeGreaterThan(worseScore ?? NaN);
  });

  test('its title, whole or one heading of it', async () => {
    const text = 'See the table.';
    const [none, heading, whole] = await scoresOf(await createModel(), 'warranty period', [
      { text, title: 'Shipping' },
      { text, title: 'Kettle › Warranty period › China' },
      { text, title: 'Warranty period' },
    ]);
    expect(heading).toBeGreaterThan(none ?? NaN);
    expect(whole).toBeGreaterThanOrEqual(heading ?? NaN);
  });

  test('its prior', async () => {
    const [low, high] = await scoresOf(await createModel(), 'refund', [
      { text: 'refund', prior: 0.2 },
      { text: 'refund', prior: 0.9 },
    ]);
    expect(high).toBeGreaterThan(low ?? NaN);
  });
});

describe('a passage in another language', () => {
  const own = [
    { text: '退货须在签收后三十天内提出。', prior: 0.9 },
    { text: '发货需要三天。', prior: 0.3 },
  ];
  const question = '退货要多少天';
  const rankOf = async (candidate: { text: string; prior: number }) => {
    const scores = await scoresOf(await createModel(), question, [...own, candidate]);
    return scores.toSorted((a, b) => b - a).indexOf(scores.at(-1) ?? NaN) + 1;
  };

  test('keeps its place by its prior: its words can say nothing', async () => {
    expect(await rankOf({ text: 'Orders can be returned within thirty days.', prior: 0.6 })).toBe(2);
    expect(await rankOf({ text: 'Orders can be returned within thirty days.', prior: 0.05 })).toBe(3);
  });
});

test('a large request yields to others, and ends when its caller leaves', async () => {
  const model = await createModel();
  const candidates = candidatesOf(
    Array.from({ length: 1000 }, (_, index) => ({ text: `退货 ${index} 运费 `.repeat(100) })),
  );
  const reason = new Error('gone');
  const controller = new AbortController();
  let turns = 0;
  const turn = () => {
    if (++turns === 3) controller.abort(reason);
    else setImmediate(turn);
  };
  setImmediate(turn);
  const scored = model.rerank('退货运费', candidates, controller.signal, noCaller)[Symbol.asyncIterator]().next();
  await expect(scored).rejects.toBe(reason);
  expect(turns).toBe(3);
});

test('the signs say what made up a score', async () => {
  const model = await createModel();
  const candidates = candidatesOf([{ text: 'A refund of the fee.', title: 'Refund', prior: 0.5 }]);
  for await (const { scores } of model.rerank('refund fee', candidates, new AbortController().signal, noCaller)) {
    expect(scores[0]?.signs).toMatchObject({ prior: 0.5, lead: 1, proximity: 1, heading: 1 });
    expect(scores[0]?.signs?.facts).toBe(0);
  }
});
