import { z } from 'zod';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import { reasoningEffort } from '../../providers/wires/chat-completions-request.ts';
import { bearer, createChatEndpoint } from '../../providers/wires/chat-endpoint.ts';

/** vLLM's server (docs.vllm.ai/en/latest/serving/openai_compatible_server.html; vllm/entrypoints/openai/protocol.py). */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string().describe('"http://vllm:8000/v1"'),
    api_key: secret().describe('The key of `vllm serve --api-key`; empty: none is sent').default(''),
    model: z.string().describe('Empty: the first model that the server lists').default(''),
    priority: z
      .int()
      .min(-1_000_000)
      .max(1_000_000)
      .describe(
        'Lower values run first; 0 is not sent, because a server without `--scheduling-policy priority` refuses the field',
      )
      .default(0),
    tools: z
      .boolean()
      .describe('Whether the server runs with `--enable-auto-tool-choice` and a tool parser')
      .default(true),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { base_url: baseUrl, api_key: apiKey, model, priority, tools } = settings;
    return createChatCompletions({
      name: 'vllm',
      model,
      endpoint: createChatEndpoint({ baseUrl, headers: bearer(apiKey), fetch, path: `${path}.settings.base_url` }),
      dialect: {
        vendor: 'vllm',
        reasoning: toThinking,
        // Cumulative counts with every chunk: an interrupted stream has its counts so far.
        streamOptions: { continuous_usage_stats: true },
        extra: priority === 0 ? {} : { priority },
        // A tenant cannot infer the prompts of another one from response times.
        tenant: (tag) => ({ cache_salt: tag }),
        prefill: { body: { continue_final_message: true, add_generation_prompt: false } },
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: 0,
        maxOutputTokens: 0,
        tools,
        images: /(?:^|[-_/])vl(?:[-_]|$)|vision|llava|pixtral|omni/i.test(model),
        jsonSchema: true,
        prefill: true,
        requestFields: ['top_k', 'min_p', 'repetition_penalty', 'length_penalty', 'min_tokens', 'chat_template_kwargs'],
      },
    });
  },
});

/** Returns the template fields of the reasoning effort: those of Qwen and of DeepSeek. */
function toThinking(effort: ReasoningEffort): object {
  if (effort !== ReasoningEffort.NONE) return reasoningEffort(effort);
  return { chat_template_kwargs: { enable_thinking: false, thinking: false } };
}
