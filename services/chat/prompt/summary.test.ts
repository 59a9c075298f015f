import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { noSummary, summarizeByQuotes, withUnread } from './summary.ts';

const turn = (number: number) => ({ question: `Question ${number}?`, answer: `Answer ${number} [1]. More of it [2].` });

test('a summary has each question with the first sentence of its answer, without markers', () => {
  const { text, turnCount } = summarizeByQuotes(
    noSummary,
    [turn(1), turn(2), { question: 'Stopped?', answer: '' }],
    500,
  );
  expect(text).toBe('Question 1? → Answer 1.\nQuestion 2? → Answer 2.');
  expect(turnCount).toBe(2);
  expect(summarizeByQuotes({ text, turnCount }, [turn(3)], 500).text).toBe(`${text}\nQuestion 3? → Answer 3.`);
  expect(summarizeByQuotes(noSummary, [], 500)).toBe(noSummary);
});

test('the oldest lines become shorter first, and then a count', () => {
  const turns = Array.from({ length: 30 }, (_, index) => turn(index));
  const shorter = summarizeByQuotes(noSummary, turns, 300).text.split('\n');
  expect(shorter[0]).toBe('Question 0?');
  expect(shorter.at(-1)).toBe('Question 29? → Answer 29.');
  const [count, ...rest] = summarizeByQuotes(noSummary, turns, 60).text.split('\n');
  expect(count).toBe(`(${30 - rest.length} earlier turns)`);
});

test('turns that no one has read are counted before the others', () => {
  const summary = withUnread(summarizeByQuotes(noSummary, [turn(1)], 500), 460);
  expect(summary).toEqual({ text: '(460 earlier turns)\nQuestion 1? → Answer 1.', turnCount: 461 });
  expect(withUnread(summary, 1).text.split('\n')[0]).toBe('(461 earlier turns)');
  expect(withUnread(summary, 0)).toBe(summary);
});

test('no turn is lost without a trace, and no budget is exceeded, in any order of summaries', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((value) => value.trim() !== '');
  const given = fc.array(fc.record({ question: text, answer: text }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(given, { maxLength: 4 }), fc.integer({ min: 20, max: 400 }), (parts, budget) => {
      const summary = parts.reduce((before, turns) => summarizeByQuotes(before, turns, budget), noSummary);
      expect(summary.turnCount).toBe(parts.flat().length);
      const lines = summary.text === '' ? [] : summary.text.split('\n');
      const counted = Number(/^\((\d+) earlier turns?\)$/.exec(lines[0] ?? '')?.[1] ?? 0);
      expect(counted + lines.length - (counted > 0 ? 1 : 0)).toBe(summary.turnCount);
      if (counted === 0 || lines.length > 1) expect(estimateTokens(summary.text)).toBeLessThanOrEqual(budget);
    }),
    { numRuns: 50 },
  );
});
