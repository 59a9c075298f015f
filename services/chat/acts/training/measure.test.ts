import { expect, test } from 'vitest';
import type { Judged } from './cross-validate.ts';
import { changeSince, toBaseline } from './measure.ts';

/** Twenty phrasings of thanks with two messages each; the first `wrongCount` of them are not recognised. */
const judged = (wrongCount: number): Judged[] =>
  Array.from({ length: 20 }, (_, index) => index).flatMap((index) => {
    const routed = index < wrongCount ? 'question' : 'thanks';
    const phrasing = `thanks: ${String(index).padStart(2, '0')}`;
    return ['a', 'b'].map((text) => ({ act: 'thanks', text, phrasing, routed }));
  });

test('a baseline has the share of right messages of each phrasing', () => {
  expect(toBaseline(judged(2)).acts).toEqual({ thanks: `00${'9'.repeat(18)}` });
});

test('only a loss on many phrasings is significant', async () => {
  const before = toBaseline(judged(0));
  expect((await changeSince(judged(0), before)).mean).toBe(0);
  expect((await changeSince(judged(1), before)).high).toBe(0);
  expect((await changeSince(judged(8), before)).high).toBeLessThan(0);
});

test('other phrasings than those of the baseline are not compared', async () => {
  await expect(changeSince(judged(0).slice(2), toBaseline(judged(0)))).rejects.toThrow('--write-baseline');
});
