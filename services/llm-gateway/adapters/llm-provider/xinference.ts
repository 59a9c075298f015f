import { z } from 'zod';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import { bearer, createChatEndpoint } from '../../providers/wires/chat-endpoint.ts';

/** Xinference's server (xinference/api/restful_api.py; inference.readthedocs.io). */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string().describe('"http://xinference:9997/v1"'),
    api_key: secret().describe('Needed if the server runs with `--auth-config`; empty: none is sent').default(''),
    model: z.string().describe(`The model's uid; empty: the first one that the server lists`).default(''),
  },
  create({ base_url: baseUrl, api_key: apiKey, model }, { path, fetch }: LlmProviderDeps): LlmProvider {
    return createChatCompletions({
      name: 'xinference',
      model,
      endpoint: createChatEndpoint({ baseUrl, headers: bearer(apiKey), fetch, path: `${path}.settings.base_url` }),
      dialect: {
        vendor: 'xinference',
        lacks: () => ['parallel_tool_calls'],
        // It supports only thinking on and off; the model decides how long.
        reasoning: (effort) => ({ chat_template_kwargs: { enable_thinking: effort !== ReasoningEffort.NONE } }),
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: 0,
        maxOutputTokens: 0,
        tools: true,
        images: /(?:^|[-_/])vl(?:[-_]|$)|vision|llava|omni/i.test(model),
        // Depends on the engine behind it, so the configuration must set it.
        jsonSchema: false,
        prefill: false,
        requestFields: ['top_k', 'repetition_penalty', 'chat_template_kwargs'],
      },
    });
  },
});
