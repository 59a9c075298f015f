import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';

/** What it answers (xorbitsai/inference xinference/types.py, Embedding). */
interface XinferenceReply {
  data?: unknown;
  model?: unknown;
  usage?: { prompt_tokens?: unknown };
}

/**
 * Xinference, `/v1/embeddings`: near OpenAI's shape, but without dimensions and encoding, and a model may give sparse vectors (a mapping of
 * tokens to weights), which are refused. Its reply's `model` is the replica that answered ("bge-m3-0"), so it proves nothing.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('http://127.0.0.1:9997/v1'),
    api_key: secret().default(''),
    model: z.string().describe(`The model's uid`),
    max_concurrent: remoteSettings.max_concurrent.default(2),
    timeout_ms: remoteSettings.timeout_ms.default(60_000),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model } = settings;
    const provider = 'xinference';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/embeddings`;
    const identity = remoteIdentity(model, settings, deps.path);
    return createRemoteModel(
      {
        provider,
        model,
        identity,
        settings,
        indexed: true,
        async request(texts, _purpose, signal) {
          const headers = bearer(settings.api_key);
          const body = { model, input: texts };
          const request = {
            dependency: provider,
            fetch: deps.fetch,
            url,
            headers,
            body,
            timeoutMs: settings.timeout_ms,
          };
          const { data, model: replica, usage } = (await postJson(request, signal)) as XinferenceReply;
          return { vectors: data, model: withoutReplica(replica), promptTokens: usage?.prompt_tokens };
        },
      },
      deps,
    );
  },
});

/** Replicas of a model are one model. */
function withoutReplica(id: unknown): unknown {
  return typeof id === 'string' ? id.replace(/-\d+$/, '') : id;
}
