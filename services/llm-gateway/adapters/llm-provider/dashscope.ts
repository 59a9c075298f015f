import { z } from 'zod';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import { bearer, createChatEndpoint } from '../../providers/wires/chat-endpoint.ts';

/** Addresses by region; a key belongs to one of them. */
const baseUrls = {
  cn: 'https://dashscope.aliyuncs.com/compatible-mode/v1',
  intl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
  us: 'https://dashscope-us.aliyuncs.com/compatible-mode/v1',
  hk: 'https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1',
};

/** The compatible mode of Alibaba Model Studio (alibabacloud.com/help/en/model-studio/qwen-api-reference). */
export const adapter = defineAdapter({
  settings: {
    api_key: secret(),
    model: z.string().describe('"qwen-plus". A model that only streams works: every request streams'),
    region: z.enum(['cn', 'intl', 'us', 'hk']).describe('Region of the key; intl is Singapore').default('cn'),
    base_url: z.string().describe(`Address of a workspace, instead of the region's`).default(''),
  },
  create({ api_key: apiKey, model, region, base_url }, { path, fetch }: LlmProviderDeps): LlmProvider {
    const baseUrl = base_url || baseUrls[region];
    const endpoint = createChatEndpoint({
      baseUrl,
      headers: bearer(apiKey),
      fetch,
      path: `${path}.settings.base_url`,
    });
    return createChatCompletions({
      name: 'dashscope',
      model,
      endpoint,
      dialect: {
        vendor: 'dashscope',
        // Some models that think only stream.
        streamsOnly: true,
        lacks: () => ['frequency_penalty'],
        reasoning: toThinking,
        // alibabacloud.com/help/en/model-studio/partial-mode
        prefill: { message: { partial: true }, body: { enable_thinking: false } },
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: 0,
        maxOutputTokens: 0,
        tools: true,
        images: /(?:^|-)vl(?:-|$)|omni/.test(model),
        jsonSchema: true,
        prefill: /^qwen/.test(model),
        requestFields: ['top_k', 'repetition_penalty', 'enable_thinking', 'thinking_budget'],
      },
    });
  },
});

/** Thinking budgets of a low and a medium effort, in tokens; a high effort has the model's own bound. */
const thinkingBudgets: Partial<Record<ReasoningEffort, number>> = {
  [ReasoningEffort.LOW]: 1024,
  [ReasoningEffort.MEDIUM]: 8192,
};

function toThinking(effort: ReasoningEffort): object {
  if (effort === ReasoningEffort.NONE) return { enable_thinking: false };
  const budget = thinkingBudgets[effort];
  return { enable_thinking: true, ...(budget === undefined ? {} : { thinking_budget: budget }) };
}
