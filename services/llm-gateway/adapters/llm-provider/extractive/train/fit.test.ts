import { expect, test } from 'vitest';
import { fitDecision, fitRanking } from './fit.ts';

test('the ranking prefers what the first feature shows, and ignores the second', () => {
  const cases = Array.from({ length: 40 }, (_, index) => ({
    features: [
      [0.9, index % 2],
      [0.2, (index + 1) % 2],
      [0.4, index % 2],
    ],
    target: [1, 0, 0],
    weight: 1,
  }));
  const [first = 0, second = 0] = fitRanking(cases, 2, 0.001);
  expect(first).toBeGreaterThan(2);
  expect(Math.abs(second)).toBeLessThan(first / 4);
});

test('the decision is calibrated: its mean probability is the share of right answers', () => {
  const cases = Array.from({ length: 200 }, (_, index) => ({
    features: [(index % 10) / 10],
    isRight: index % 10 >= 4,
    weight: 1,
  }));
  const [slope = 0, bias = 0] = fitDecision(cases, 1, 0.0001);
  const mean =
    cases.reduce((sum, { features: [x = 0] }) => sum + 1 / (1 + Math.exp(-(slope * x + bias))), 0) / cases.length;
  expect(slope).toBeGreaterThan(5);
  expect(mean).toBeCloseTo(0.6, 1);
});

test('without cases the weights stay at those that they begin with', () => {
  const [first = 0, second = 0] = fitRanking([], 2, 0.01, [3, -1]);
  expect(first).toBeCloseTo(3);
  expect(second).toBeCloseTo(-1);
});
