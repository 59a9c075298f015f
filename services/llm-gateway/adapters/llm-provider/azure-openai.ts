import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../../providers/llm-provider.ts';
import { createChatCompletions } from '../../providers/wires/chat-completions.ts';
import { bearer } from '../../providers/wires/chat-endpoint.ts';
import { chatEndpoint, createOpenAiClient } from '../vendors/openai/client.ts';
import { openAiLacks, openAiLengths, openAiSystemRole } from './openai.ts';

/**
 * Azure OpenAI, by its v1 API or, with `api_version`, by the older one of deployments
 * (learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle).
 */
export const adapter = defineAdapter({
  settings: {
    endpoint: z.string().describe('"https://RESOURCE.openai.azure.com"'),
    api_key: secret().describe("The resource's key; or `access_token`").default(''),
    access_token: secret()
      .describe(
        'A token of Microsoft Entra ID. It expires after about an hour: for a sidecar that renews the configuration',
      )
      .default(''),
    deployment: z.string(),
    api_version: z.string().describe('"2024-10-21"; empty: the v1 API, which has no versions').default(''),
    model: z
      .string()
      .describe('The model behind the deployment, if its name does not say ("gpt-5.4-mini")')
      .default(''),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { endpoint, api_key: apiKey, access_token: token, deployment, api_version: version } = settings;
    if ((apiKey === '') === (token === '')) {
      throw new ConfigError(`${path}.settings.api_key`, 'is missing: set api_key or access_token');
    }
    const resource = endpoint.replace(/\/+$/, '').replace(/\/openai(?:\/v1)?$/, '');
    const isV1 = version === '';
    const client = createOpenAiClient({
      baseUrl: isV1 ? `${resource}/openai/v1` : `${resource}/openai/deployments/${encodeURIComponent(deployment)}`,
      headers: apiKey === '' ? bearer(token) : { 'api-key': apiKey },
      ...(isV1 ? {} : { query: { 'api-version': version } }),
      fetch,
      path: `${path}.settings.endpoint`,
    });
    const model = settings.model || deployment;
    return createChatCompletions({
      name: 'azure-openai',
      model: deployment,
      endpoint: chatEndpoint(client),
      dialect: {
        vendor: 'azure-openai',
        lacksByModel: true,
        limitField: 'max_completion_tokens',
        systemRole: () => openAiSystemRole(model),
        lacks: (request) => openAiLacks(request, model),
        tenant: (tag) => (isV1 ? { user: tag, prompt_cache_key: tag } : { user: tag }),
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
