import { z } from 'zod';
import { GuardrailCategory } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Finding, Guardrail } from '../../../ask/guardrails/guardrail.ts';
import { signsOf } from './signs.ts';

/**
 * Finds text that gives a model orders instead of a question or a fact, in English and Chinese, by patterns of words. It is a
 * heuristic: it finds what is said in the usual words, and what it lets pass is no proof of harmlessness.
 */
export const adapter = defineAdapter({
  settings: {
    min_score: z
      .number()
      .min(0.1)
      .max(1)
      .describe('Lowest score that counts; a strong sign has .6 or more, a weak one .3')
      .default(0.5),
  },
  create({ min_score }): Guardrail {
    const find = (text: string): Finding[] => {
      const signs = signsOf(text);
      // Independent signs: each leaves less doubt.
      const score = 1 - signs.reduce((doubt, sign) => doubt * (1 - sign.weight), 1);
      const strongest = signs.toSorted((a, b) => b.weight - a.weight)[0];
      if (strongest === undefined || score < min_score) return [];
      return [{ category: GuardrailCategory.PROMPT_INJECTION, rule: strongest.name, score }];
    };
    return { isLocal: true, check: async (texts) => texts.map(find) };
  },
});
