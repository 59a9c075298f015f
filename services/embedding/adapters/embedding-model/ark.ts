import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';
import { createOpenAIRequest } from '../vendors/openai/request.ts';

/**
 * Volcano Engine Ark: OpenAI's shape under /api/v3, with the id of a model or of an endpoint ("ep-…") as the model. It takes no base64
 * for every model, so numbers are asked for (volcengine-python-sdk, volcenginesdkarkruntime/resources/embeddings.py).
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('https://ark.cn-beijing.volces.com/api/v3'),
    api_key: secret(),
    model: z.string().describe(`Id of a model, or of an endpoint; the endpoint's dimensions must be set`),
    max_batch: remoteSettings.max_batch.unwrap().max(256).default(64),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model } = settings;
    const provider = 'ark';
    const identity = remoteIdentity(model, settings, deps.path);
    const request = createOpenAIRequest({
      provider,
      fetch: deps.fetch,
      baseURL: baseUrlOf(settings.base_url, deps.path),
      apiKey: settings.api_key,
      model,
      encoding: 'float',
      dimensions: identity.askedDimensions,
      timeoutMs: settings.timeout_ms,
    });
    return createRemoteModel({ provider, model, identity, settings, indexed: true, request }, deps);
  },
});
