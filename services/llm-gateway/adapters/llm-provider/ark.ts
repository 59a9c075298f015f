import { z } from 'zod';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps, ProviderRequest } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import type { ChatField } from '../../providers/wires/chat-completions-dialect.ts';
import { reasoningEffort } from '../../providers/wires/chat-completions-request.ts';
import { bearer, createChatEndpoint } from '../../providers/wires/chat-endpoint.ts';

/** Volcano Engine Ark, and BytePlus by `base_url` (volcengine.com/docs/82379/1494384). */
export const adapter = defineAdapter({
  settings: {
    api_key: secret(),
    model: z.string().describe('Id of a model or of an endpoint ("ep-…")'),
    base_url: z
      .string()
      .describe('BytePlus: https://ark.ap-southeast.bytepluses.com/api/v3; a coding plan: …/api/coding/v3')
      .default('https://ark.cn-beijing.volces.com/api/v3'),
  },
  create({ api_key: apiKey, model, base_url: baseUrl }, { path, fetch }: LlmProviderDeps): LlmProvider {
    return createChatCompletions({
      name: 'ark',
      model,
      endpoint: createChatEndpoint({ baseUrl, headers: bearer(apiKey), fetch, path: `${path}.settings.base_url` }),
      dialect: {
        vendor: 'ark',
        lacksByModel: true,
        lacks: missingOf,
        // Its max_tokens excludes thinking, unlike that of older models.
        limitField: /seed/.test(model) ? 'max_completion_tokens' : 'max_tokens',
        reasoning: toThinking,
        // Cumulative counts with every chunk: an interrupted stream has its counts so far.
        streamOptions: { chunk_include_usage: true },
        prefill: { body: { thinking: { type: 'disabled' } } },
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: 0,
        maxOutputTokens: 0,
        tools: true,
        images: /vision|seed-1[.-][568]/.test(model),
        jsonSchema: true,
        prefill: /^(?:doubao|deepseek)/.test(model),
        requestFields: ['thinking'],
      },
    });
  },
});

/** Returns the fields that a model lacks (volcengine.com/docs/82379/1494384): models that think accept no `stop`, the newest no sampling. */
function missingOf(_: ProviderRequest, model: string): readonly ChatField[] {
  const lacks: ChatField[] = ['seed'];
  if (/seed|thinking/.test(model)) lacks.push('stop');
  if (/seed-(?:1-8|2-0)/.test(model)) lacks.push('frequency_penalty', 'presence_penalty');
  if (/seed-2-0/.test(model)) lacks.push('temperature', 'top_p');
  return lacks;
}

function toThinking(effort: ReasoningEffort): object {
  if (effort === ReasoningEffort.NONE) return { thinking: { type: 'disabled' } };
  return { thinking: { type: 'enabled' }, ...reasoningEffort(effort) };
}
