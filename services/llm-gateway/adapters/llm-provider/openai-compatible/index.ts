import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../../../providers/llm-provider.ts';
import { createChatCompletions } from '../../../providers/wires/chat-completions.ts';
import { bearer, createChatEndpoint } from '../../../providers/wires/chat-endpoint.ts';

/** Any server that speaks OpenAI's chat completions: LiteLLM, llama.cpp, LM Studio, DeepSeek, Moonshot, Groq, … */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string(),
    api_key: secret().describe('Empty: none is sent').default(''),
    model: z.string().describe('Empty: the first model that the server lists').default(''),
    context_tokens: z.int().min(0).max(100_000_000).default(0),
    max_output_tokens: z.int().min(0).max(10_000_000).default(0),
    tools: z.boolean().default(true),
    images: z.boolean().default(false),
    json_schema: z.boolean().default(true),
    prefill: z
      .boolean()
      .describe(`Whether it continues from an assistant's message at the end of the conversation`)
      .default(false),
    max_completion_tokens: z
      .boolean()
      .describe('Whether it has `max_completion_tokens`, as newer models of OpenAI do')
      .default(false),
    reasoning_effort: z.boolean().describe('Whether it has `reasoning_effort`').default(true),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { base_url: baseUrl, api_key: apiKey, json_schema: jsonSchema, tools, prefill } = settings;
    const endpoint = createChatEndpoint({
      baseUrl,
      headers: bearer(apiKey),
      fetch,
      path: `${path}.settings.base_url`,
    });
    return createChatCompletions({
      name: new URL(baseUrl).hostname,
      model: settings.model,
      endpoint,
      dialect: {
        vendor: 'this server',
        lacks: () => (settings.reasoning_effort ? [] : ['reasoning_effort']),
        limitField: settings.max_completion_tokens ? 'max_completion_tokens' : 'max_tokens',
        prefill: {},
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: settings.context_tokens,
        maxOutputTokens: settings.max_output_tokens,
        tools,
        images: settings.images,
        jsonSchema,
        prefill,
      },
    });
  },
});
