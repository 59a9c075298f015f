import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';
import { createOpenAIRequest } from '../vendors/openai/request.ts';

/**
 * OpenAI's embeddings on Azure: the v1 API if `api_version` is not set, and otherwise the API by deployment
 * (learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle).
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().describe('"https://<resource>.openai.azure.com"'),
    api_key: secret().describe('A key of the resource; or `token`').default(''),
    token: secret().describe('A token of Entra ID, which has an end; for tests and short runs').default(''),
    deployment: z.string().describe('Name of the deployment'),
    model: z.string().describe('The model behind it; its dimensions are known by it').default('text-embedding-3-small'),
    api_version: z.string().describe('Empty: the v1 API').default(''),
    max_batch: remoteSettings.max_batch.default(256),
    max_batch_tokens: remoteSettings.max_batch_tokens.default(200_000),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model, deployment, api_key: apiKey, token, api_version: apiVersion } = settings;
    const provider = 'azure-openai';
    if ((apiKey === '') === (token === '')) {
      throw new ConfigError(`${deps.path}.settings.api_key`, 'one of api_key and token is needed');
    }
    const root = baseUrlOf(settings.base_url, deps.path).replace(/\/openai(\/v1)?$/, '');
    const identity = remoteIdentity(model, settings, deps.path);
    const request = createOpenAIRequest({
      provider,
      fetch: deps.fetch,
      baseURL: apiVersion === '' ? `${root}/openai/v1` : `${root}/openai/deployments/${encodeURIComponent(deployment)}`,
      apiKey: token || apiKey,
      ...(token === '' ? { keyHeader: 'api-key' } : {}),
      ...(apiVersion === '' ? {} : { query: { 'api-version': apiVersion } }),
      model: deployment,
      encoding: 'base64',
      dimensions: identity.askedDimensions,
      timeoutMs: settings.timeout_ms,
    });
    return createRemoteModel({ provider, model, identity, settings, indexed: true, request }, deps);
  },
});
