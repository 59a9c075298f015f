import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { readConfig } from '../config.ts';
import { chooseEvidence, chooseHistory, historyTokens, historyVersion, promptVersion } from './prompt.ts';

const passage = (text: string, startOffset = 100) =>
  create(PassageSchema, { chunkId: `c${startOffset}`, text, startOffset, endOffset: startOffset + text.length });
const limits = { historyTurns: 6, promptBudgetTokens: 1000 };

describe('evidence', () => {
  test('is complete and in order if it fits', () => {
    const passages = [passage('first'), passage('second')];
    expect(chooseEvidence(passages, 1000).passages).toEqual(passages);
  });

  test('that does not fit is skipped for evidence that does', () => {
    const [small, large] = [passage('small'), passage('退货'.repeat(400))];
    expect(chooseEvidence([small, large, small], 100).passages).toEqual([small, small]);
  });

  test('of one passage that is too long is cut after a sentence, with offsets that still name it', () => {
    const text = '每一句话都很长很长。'.repeat(200);
    const [cut] = chooseEvidence([passage(text)], 200).passages;
    expect(cut?.text.endsWith('。')).toBe(true);
    expect(text.startsWith(cut?.text ?? '-')).toBe(true);
    expect(cut).toMatchObject({ startOffset: 100, endOffset: 100 + (cut?.text.length ?? 0) });
    expect(estimateTokens(cut?.text ?? '')).toBeLessThanOrEqual(200);
  });

  test('never exceeds its budget, and is never empty if there is a passage', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 600 }), (texts, budget) => {
        const { passages, tokens } = chooseEvidence(
          texts.map((each) => passage(each)),
          budget,
        );
        expect(passages.length).toBeGreaterThan(0);
        if (passages.length > 1) expect(tokens).toBeLessThanOrEqual(budget);
        for (const { text: chosen } of passages) expect(chosen.isWellFormed()).toBe(true);
      }),
    );
  });
});

describe('history', () => {
  const turn = (number: number, length = 1) => ({ question: `q${number}`, answer: `a${number} `.repeat(length) });
  test('is the latest turns that fit, oldest first, without markers of old sources', () => {
    const turns = [turn(1), turn(2, 400), { question: 'q3', answer: 'Free [1][2]. Not [3].' }, turn(4)];
    const { turns: chosen, spanCount } = chooseHistory(turns, limits);
    expect(spanCount).toBe(2);
    expect(chosen.map(({ question }) => question)).toEqual(['q3', 'q4']);
    expect(chosen[0]?.answer).toBe('Free. Not.');
    expect(historyTokens(chosen)).toBeLessThanOrEqual(250);
  });
  test('has no more turns than configured, and none that was stopped before its first word', () => {
    expect(chooseHistory([turn(1), turn(2), turn(3)], { ...limits, historyTurns: 2 }).turns).toHaveLength(2);
    expect(chooseHistory([turn(1)], { ...limits, historyTurns: 0 }).turns).toEqual([]);
    expect(chooseHistory([{ question: 'q', answer: '' }, turn(2)], limits)).toMatchObject({
      turns: [{ question: 'q2' }],
      spanCount: 2,
    });
  });
  test('has a name of its own for each', () => {
    expect(historyVersion([])).toBe('');
    expect(historyVersion([{ question: 'ab', answer: 'c' }])).not.toBe(
      historyVersion([{ question: 'a', answer: 'bc' }]),
    );
  });
});

test('another system text or budget is another version of the prompt', () => {
  const versions = [
    {},
    { systemText: 'Be brief.' },
    { promptBudgetTokens: 99 },
    { historyTurns: 0 },
    { sectionTokens: 900 },
  ].map((chat) => promptVersion(readConfig(create(ConfigSchema, { chat }))));
  expect(new Set(versions).size).toBe(versions.length);
});
