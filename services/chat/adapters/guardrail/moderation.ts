import { z } from 'zod';
import { GuardrailCategory } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { postJson } from '#kit/http/json.ts';
import type { Finding, Guardrail, GuardrailDeps } from '../../ask/guardrails/guardrail.ts';

/** Longest text that is sent, in characters. */
const maxTextLength = 32_000;
/** Largest reply, in bytes. */
const maxReplyBytes = 1 << 20;

const replySchema = z.object({
  results: z.array(
    z.object({
      flagged: z.boolean(),
      categories: z.record(z.string(), z.boolean().nullable()),
      category_scores: z.record(z.string(), z.number()).optional(),
    }),
  ),
});

/**
 * Sends texts to `POST <base_url>/moderations`, as OpenAI and compatible servers have it:
 * https://platform.openai.com/docs/api-reference/moderations. Its categories are the rules.
 */
export const adapter = defineAdapter({
  settings: {
    base_url: z
      .url({ protocol: /^https?$/ })
      .describe('Address of the API')
      .default('https://api.openai.com/v1'),
    api_key: secret().describe('Key; empty: none is sent').default(''),
    model: z.string().max(256).describe('Model; empty: the default of the server').default('omni-moderation-latest'),
    min_score: z
      .number()
      .min(0)
      .max(1)
      .describe('Lowest score of a category that counts; 0: what the provider flags')
      .default(0),
    ignore: z.array(z.string().max(128)).max(100).describe('Categories that do not count').default([]),
  },
  create({ base_url, api_key, model, min_score, ignore }, { fetch }: GuardrailDeps): Guardrail {
    const ignored = new Set(ignore);
    const toFindings = (result: z.output<typeof replySchema>['results'][number]): Finding[] => {
      const scoreOf = (rule: string) => Math.min(1, Math.max(0, result.category_scores?.[rule] ?? 1));
      const counts = (rule: string, isFlagged: boolean | null) =>
        min_score === 0
          ? result.flagged && isFlagged === true
          : scoreOf(rule) >= min_score && result.category_scores !== undefined;
      return Object.entries(result.categories)
        .filter(([rule, isFlagged]) => !ignored.has(rule) && counts(rule, isFlagged))
        .slice(0, 16)
        .map(([rule]) => ({ category: GuardrailCategory.MODERATION, rule, score: scoreOf(rule) }));
    };
    return {
      isLocal: false,
      async check(texts, signal) {
        const reply = await postJson(
          {
            dependency: 'moderation provider',
            fetch,
            url: `${base_url.replace(/\/+$/, '')}/moderations`,
            headers: api_key === '' ? {} : { authorization: `Bearer ${api_key}` },
            body: {
              ...(model !== '' && { model }),
              input: texts.map((text) => text.slice(0, maxTextLength).toWellFormed()),
            },
            // The guardrail's own time ends it before.
            timeoutMs: 60_000,
            maxReplyBytes,
          },
          signal,
        );
        const { results } = replySchema.parse(reply);
        return results.map(toFindings);
      },
    };
  },
});
