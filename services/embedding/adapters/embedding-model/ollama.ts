import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';

/** What Ollama answers (ollama/ollama api/types.go, EmbedResponse). */
interface OllamaReply {
  model?: unknown;
  embeddings?: unknown;
  prompt_eval_count?: unknown;
}

/**
 * Ollama's own `/api/embed`. By default it cuts long texts silently. With `truncate: false`, as here, it refuses them.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('http://127.0.0.1:11434'),
    api_key: secret().describe('For a proxy before it; Ollama itself has none').default(''),
    model: z.string().default('nomic-embed-text'),
    max_batch: remoteSettings.max_batch.default(32),
    max_concurrent: remoteSettings.max_concurrent.default(2),
    timeout_ms: remoteSettings.timeout_ms.default(60_000),
    keep_alive: z
      .string()
      .describe('How long the model stays in memory: "5m"; empty: what the server does by itself')
      .default(''),
    num_ctx: z
      .int()
      .min(0)
      .max(1_000_000)
      .describe('Context of the model, in tokens. 0: what the server does by itself')
      .default(0),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model, keep_alive: keepAlive, num_ctx: numCtx } = settings;
    const provider = 'ollama';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/api/embed`;
    const identity = remoteIdentity(model, settings, deps.path);
    return createRemoteModel(
      {
        provider,
        model,
        identity,
        settings,
        indexed: false,
        async request(texts, _purpose, signal) {
          const body = {
            model,
            input: texts,
            truncate: false,
            ...(identity.askedDimensions && { dimensions: identity.askedDimensions }),
            ...(keepAlive !== '' && { keep_alive: keepAlive }),
            ...(numCtx > 0 && { options: { num_ctx: numCtx } }),
          };
          const headers = bearer(settings.api_key);
          const request = {
            dependency: provider,
            fetch: deps.fetch,
            url,
            headers,
            body,
            timeoutMs: settings.timeout_ms,
          };
          const reply = (await postJson(request, signal)) as OllamaReply;
          const rows = Array.isArray(reply.embeddings) ? reply.embeddings : [];
          return {
            vectors: rows.map((embedding: unknown) => ({ embedding })),
            model: reply.model,
            promptTokens: reply.prompt_eval_count,
          };
        },
      },
      deps,
    );
  },
});
