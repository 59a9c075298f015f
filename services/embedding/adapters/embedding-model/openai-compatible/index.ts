import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../../models/embedding-model.ts';
import { createRemoteModel } from '../../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../../models/remote-settings.ts';
import { createOpenAIRequest } from '../../vendors/openai/request.ts';

/** Any server with OpenAI's embeddings: vLLM, llama.cpp, LiteLLM, LM Studio, … */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string(),
    api_key: secret().describe('Empty: none is sent').default(''),
    model: z.string(),
    encoding: z.enum(['base64', 'float']).describe('Encoding of vectors in replies').default('base64'),
    reply_model: z.string().describe('Id that replies must have. Empty: that of the first reply').default(''),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model, encoding, reply_model: replyModel } = settings;
    const provider = 'openai-compatible';
    const identity = remoteIdentity(model, settings, deps.path);
    const request = createOpenAIRequest({
      provider,
      fetch: deps.fetch,
      baseURL: baseUrlOf(settings.base_url, deps.path),
      apiKey: settings.api_key,
      model,
      encoding,
      dimensions: identity.askedDimensions,
      timeoutMs: settings.timeout_ms,
    });
    return createRemoteModel({ provider, model, identity, settings, indexed: true, replyModel, request }, deps);
  },
});
