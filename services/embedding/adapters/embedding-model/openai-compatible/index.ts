import { ConfigError } from '#kit/base/config-error.ts';
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
    base_url: { type: 'string' },
    /** Empty: none is sent. */
    api_key: { type: 'string', default: '', secret: true },
    model: { type: 'string' },
    /** "base64" or "float". */
    encoding: { type: 'string', default: 'base64' },
    /** Id that replies must have. Empty: that of the first reply. */
    reply_model: { type: 'string', default: '' },
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model, encoding, reply_model: replyModel } = settings;
    const provider = 'openai-compatible';
    if (encoding !== 'base64' && encoding !== 'float') {
      throw new ConfigError(`${deps.path}.settings.encoding`, `is "${encoding}"`, ['base64', 'float']);
    }
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
