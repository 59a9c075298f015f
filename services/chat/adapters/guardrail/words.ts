import { z } from 'zod';
import { GuardrailCategory } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Finding, Guardrail } from '../../ask/guardrails/guardrail.ts';

/**
 * Finds words of a list: letters by whole words, Chinese anywhere; width, case and invisible characters make no difference. With `topic`, the
 * words are signs of that topic, and the verdict names it.
 */
export const adapter = defineAdapter({
  settings: {
    words: z.array(z.string().min(1).max(128)).min(1).max(10_000).describe('Words and phrases to find'),
    topic: z
      .string()
      .max(128)
      .describe('The topic that they are signs of; empty: each word is a rule of its own')
      .default(''),
    least: z.int().min(1).max(100).describe('Different words that a text must have').default(1),
  },
  create({ words, topic, least }): Guardrail {
    const known = new Map(words.map((word) => [fold(word), word]));
    const patterns = toPatterns([...known.keys()].filter((word) => word !== ''));
    const find = (text: string): Finding[] => {
      const folded = fold(text);
      const found = new Set(
        patterns.flatMap((pattern) => [...folded.matchAll(pattern)].map(([word]) => known.get(word) ?? word)),
      );
      if (found.size < least) return [];
      if (topic !== '') return [{ category: GuardrailCategory.TOPIC, rule: topic, score: 1 }];
      return [...found].slice(0, 8).map((rule) => ({ category: GuardrailCategory.WORD, rule, score: 1 }));
    };
    return { isLocal: true, check: async (texts) => texts.map(find) };
  },
});

const fold = (text: string): string =>
  text
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Mn}]/gu, '')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim();

/** Characters that, beside a word of letters, make it a part of another word. Chinese has no spaces around words. */
const wordly = '[\\p{Script=Latin}\\p{Script=Cyrillic}\\p{Script=Greek}\\p{N}_]';
const isWordly = (character: string | undefined) => character !== undefined && new RegExp(wordly, 'u').test(character);

// One for each kind of edges: with the edges at each word, a list of 10,000 words takes 200 ms a text in place of 0.1.
function toPatterns(words: readonly string[]): RegExp[] {
  const before = (word: string) => (isWordly(word.at(0)) ? `(?<!${wordly})` : '');
  const after = (word: string) => (isWordly(word.at(-1)) ? `(?!${wordly})` : '');
  // The longest first: of two words that begin alike, the text has the longer one.
  const sorted = [...words].sort((a, b) => b.length - a.length);
  return [...Map.groupBy(sorted, (word) => `${before(word)} ${after(word)}`).values()].map((group) => {
    const [first = ''] = group;
    const alternatives = group.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|');
    return new RegExp(`${before(first)}(?:${alternatives})${after(first)}`, 'gu');
  });
}
