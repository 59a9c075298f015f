import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { splitSentences } from './sentences.ts';

const split = (text: string): string[] => splitSentences(text).map(({ start, end }) => text.slice(start, end));

describe('splitSentences', () => {
  it.each([
    ['您可以退货。请在7天内申请！好吗？', ['您可以退货。', '请在7天内申请！', '好吗？']],
    ['“真的吗？”他问。', ['“真的吗？”', '他问。']],
    [
      'Dr. Smith paid $3.50. J. R. Lee came at 10 a.m. yesterday.',
      ['Dr. Smith paid $3.50.', 'J. R. Lee came at 10 a.m. yesterday.'],
    ],
    ['See https://a.b/c?x=1. Use v2.1.3, e.g. this one!', ['See https://a.b/c?x=1.', 'Use v2.1.3, e.g. this one!']],
    ['"Really?" she asked. Yes.', ['"Really?" she asked.', 'Yes.']],
    ['退款 ok.下一步', ['退款 ok.', '下一步']],
    ['1. First. Still first.\n2. Second\n- 苹果', ['1. First.', 'Still first.', '2. Second', '- 苹果']],
    ['| a. b | c |\n|---|---|\n| 1 | 2。3 |', ['| a. b | c |', '|---|---|', '| 1 | 2。3 |']],
    ['# Title. Here\nText', ['# Title. Here', 'Text']],
    ['```\na. b. c\n```', ['```', 'a. b. c', '```']],
    ['a line that was\nwrapped.', ['a line that was\nwrapped.']],
    ['第一行\n第二行', ['第一行', '第二行']],
    ['One line\n\nanother', ['One line', 'another']],
    ['', []],
  ])('splits %j', (text, expected) => {
    expect(split(text)).toEqual(expected);
  });

  it('keeps order, overlaps nowhere and loses only white space, for any text', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.stringMatching(/^[a-zA 。.!|\n\-1#`]{0,60}$/));
    fc.assert(
      fc.property(text, (input) => {
        let from = 0;
        for (const { start, end } of splitSentences(input)) {
          expect(input.slice(from, start).trim()).toBe('');
          expect(end).toBeGreaterThan(start);
          from = end;
        }
        expect(input.slice(from).trim()).toBe('');
      }),
    );
  });

  it.each(['a\n'.repeat(20_000), '. '.repeat(50_000), '|'.repeat(50_000), ' '.repeat(100_000), 'A'.repeat(100_000)])(
    'stays linear on a hostile text',
    (text) => {
      const started = threadCpuMs();
      splitSentences(text);
      expect(threadCpuMs() - started).toBeLessThan(1_500);
    },
  );
});
