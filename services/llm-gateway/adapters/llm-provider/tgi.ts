import { z } from 'zod';
import type { ResponseFormat } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import { toSchema } from '../../providers/wires/chat-completions-request.ts';
import { bearer, createChatEndpoint } from '../../providers/wires/chat-endpoint.ts';

/** The Messages API of Hugging Face's Text Generation Inference (router/src/lib.rs, router/src/server.rs). */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string().describe('"http://tgi:8080/v1"'),
    api_key: secret().describe('The key of `--api-key`, or a token of Hugging Face; empty: none is sent').default(''),
    model: z.string().describe('Name of the model; a server has one model and accepts every name').default('tgi'),
  },
  create({ base_url: baseUrl, api_key: apiKey, model }, { path, fetch }: LlmProviderDeps): LlmProvider {
    return createChatCompletions({
      name: 'tgi',
      model,
      endpoint: createChatEndpoint({ baseUrl, headers: bearer(apiKey), fetch, path: `${path}.settings.base_url` }),
      dialect: {
        vendor: 'tgi',
        lacks: () => ['parallel_tool_calls', 'reasoning_effort'],
        notes: ({ tools }) => (tools.length === 0 ? [] : ['tools: tgi may ignore them and answer without']),
        responseFormat: toGrammar,
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: 0,
        maxOutputTokens: 0,
        tools: true,
        images: false,
        jsonSchema: true,
        prefill: false,
      },
    });
  },
});

/** Returns the grammar of a format. Its type "json" requires a schema. */
function toGrammar(form: ResponseFormat['form']): object | undefined {
  if (form.case === undefined) return undefined;
  return { type: 'json', value: form.case === 'jsonSchema' ? toSchema(form.value) : { type: 'object' } };
}
