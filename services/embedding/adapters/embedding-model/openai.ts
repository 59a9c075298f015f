import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';
import { createOpenAIRequest } from '../vendors/openai/request.ts';

/**
 * OpenAI's own embeddings. A request takes up to 2048 texts, of 8192 tokens each and 300,000 together
 * (platform.openai.com/docs/api-reference/embeddings).
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('https://api.openai.com/v1'),
    api_key: secret(),
    model: z.string().default('text-embedding-3-small'),
    max_batch: remoteSettings.max_batch.default(256),
    // The estimate may be a fifth too low.
    max_batch_tokens: remoteSettings.max_batch_tokens.default(200_000),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model } = settings;
    const provider = 'openai';
    const identity = remoteIdentity(model, settings, deps.path);
    const request = createOpenAIRequest({
      provider,
      fetch: deps.fetch,
      baseURL: baseUrlOf(settings.base_url, deps.path),
      apiKey: settings.api_key,
      model,
      encoding: 'base64',
      dimensions: identity.askedDimensions,
      timeoutMs: settings.timeout_ms,
    });
    return createRemoteModel({ provider, model, identity, settings, indexed: true, request }, deps);
  },
});
