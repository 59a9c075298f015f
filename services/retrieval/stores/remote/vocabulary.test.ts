import { expect, test } from 'vitest';
import { createRemoteVocabulary } from './vocabulary.ts';

const notAborted = new AbortController().signal;

/** An engine with these frequencies for every tenant. */
function engine(rowCount: number, frequencies: Record<string, number>) {
  const asked: string[][] = [];
  return {
    asked,
    frequencies,
    count: async (_tenant: string, words: readonly string[]) => {
      asked.push([...words]);
      return { rowCount, frequencies: words.map((word) => frequencies[word] ?? 0) };
    },
  };
}

test('a rare word weighs more than a common one, and a repeated one more than once', async () => {
  const { count } = engine(1000, { rare: 2, common: 400 });
  const vocabulary = createRemoteVocabulary(count);
  const weighed = await vocabulary.weigh('t', ['common', 'rare', 'unknown'], notAborted);
  expect(weighed.map(({ word }) => word)).toEqual(['rare', 'common']);
  expect(weighed[0]?.weight).toBeGreaterThan(3 * (weighed[1]?.weight as number));
  const [twice] = await vocabulary.weigh('t', ['rare', 'rare'], notAborted);
  expect(twice?.weight).toBeCloseTo(2 * (weighed[0]?.weight as number));
});

test('known words are not asked for again until rows change, and unknown ones always', async () => {
  const { asked, count, frequencies } = engine(100, { a: 5 });
  const vocabulary = createRemoteVocabulary(count);
  await vocabulary.weigh('t', ['a', 'b'], notAborted);
  frequencies.b = 1;
  expect((await vocabulary.weigh('t', ['a', 'b'], notAborted)).map(({ word }) => word)).toEqual(['b', 'a']);
  await vocabulary.weigh('t', ['a', 'b'], notAborted);
  vocabulary.noteChange('t', 5);
  await vocabulary.weigh('t', ['a'], notAborted);
  vocabulary.noteChange('t', 6);
  await vocabulary.weigh('t', ['a'], notAborted);
  await vocabulary.weigh('other', ['a'], notAborted);
  expect(asked).toEqual([['a', 'b'], ['b'], ['a'], ['a']]);
});

test('a long question is counted in parts, and words beyond the bound are searched all the same', async () => {
  const words = Array.from({ length: 600 }, (_, index) => `w${index}`);
  const all = engine(1000, Object.fromEntries(words.map((word) => [word, 3])));
  await createRemoteVocabulary(all.count).weigh('t', words, notAborted);
  expect(all.asked.map(({ length }) => length)).toEqual([256, 256, 88]);
  const few = engine(1000, {});
  const weighed = await createRemoteVocabulary(few.count, { maxCounted: 10 }).weigh('t', words, notAborted);
  expect(few.asked.flat()).toHaveLength(10);
  expect(weighed.map(({ word }) => word)).toContain('w599');
});
