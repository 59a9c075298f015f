import { z } from 'zod';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps, ProviderRequest } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import type { ChatField } from '../../providers/wires/chat-completions-dialect.ts';
import { bearer } from '../../providers/wires/chat-endpoint.ts';
import { chatEndpoint, createOpenAiClient } from '../vendors/openai/client.ts';

/** OpenAI's chat completions (platform.openai.com/docs/api-reference/chat). */
export const adapter = defineAdapter({
  settings: {
    api_key: secret(),
    model: z.string(),
    base_url: z.string().default('https://api.openai.com/v1'),
    organization: z.string().describe('The organization that pays, if a key belongs to several').default(''),
    project: z.string().default(''),
    service_tier: z
      .enum(['', 'auto', 'default', 'flex', 'priority'])
      .describe(`Service tier. Empty: the project's default`)
      .default(''),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { api_key, model, base_url, organization, project, service_tier: tier } = settings;
    const client = createOpenAiClient({
      baseUrl: base_url,
      headers: {
        ...bearer(api_key),
        ...(organization === '' ? {} : { 'openai-organization': organization }),
        ...(project === '' ? {} : { 'openai-project': project }),
      },
      fetch,
      path: `${path}.settings.base_url`,
    });
    return createChatCompletions({
      name: 'openai',
      model,
      endpoint: chatEndpoint(client),
      dialect: {
        vendor: 'openai',
        lacksByModel: true,
        limitField: 'max_completion_tokens',
        systemRole: openAiSystemRole,
        lacks: openAiLacks,
        extra: tier === '' ? {} : { service_tier: tier },
        tenant: (tag) => ({ prompt_cache_key: tag, safety_identifier: tag }),
      },
      capabilities: {
        generative: true,
        readsEvidence: false,
        ...openAiLengths(model),
        tools: true,
        images: true,
        jsonSchema: true,
        prefill: false,
      },
    });
  },
});

/** Returns the role of the operator's instructions: developer for models that think, system for older ones. */
export function openAiSystemRole(model: string): 'system' | 'developer' {
  return thinks(model) ? 'developer' : 'system';
}

/**
 * Returns the fields that a model lacks. A model that thinks accepts no sampling parameters (platform.openai.com/docs/guides/reasoning);
 * models since gpt-5.1 accept them without thinking, which is their default.
 */
export function openAiLacks({ reasoningEffort }: ProviderRequest, model: string): readonly ChatField[] {
  if (!thinks(model)) return ['reasoning_effort'];
  const isOff = reasoningEffort === ReasoningEffort.NONE || reasoningEffort === ReasoningEffort.UNSPECIFIED;
  if (isOff && /^gpt-5\.\d/.test(model)) return [];
  const sampling = ['temperature', 'top_p', 'frequency_penalty', 'presence_penalty'] as const;
  return /^o\d/.test(model) ? [...sampling, 'parallel_tool_calls'] : sampling;
}

function thinks(model: string): boolean {
  return /^(?:o\d|gpt-[5-9])/.test(model) && !/-chat/.test(model);
}

/** Context and completion in tokens, from the vendor's page of each model (platform.openai.com/docs/models). */
const lengths: readonly (readonly [RegExp, contextTokens: number, maxOutputTokens: number])[] = [
  [/^gpt-5(?:-mini|-nano)?(?:-20|$)/, 400_000, 128_000],
  [/^gpt-5\.(?:1|2|4-mini)(?:-20|$)/, 400_000, 128_000],
  [/^gpt-4\.1/, 1_047_576, 32_768],
  [/^gpt-4o/, 128_000, 16_384],
  [/^o(?:3|4-mini)/, 200_000, 100_000],
];

/** Returns the longest context and completion of a model of OpenAI, in tokens; 0: not known. */
export function openAiLengths(model: string): { contextTokens: number; maxOutputTokens: number } {
  const [, contextTokens = 0, maxOutputTokens = 0] = lengths.find(([pattern]) => pattern.test(model)) ?? [];
  return { contextTokens, maxOutputTokens };
}
