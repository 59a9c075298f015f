import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import { createRemoteReranker, remoteSettings, scales } from '../../models/remote-reranker.ts';
import type { RerankModelDeps } from '../../models/rerank-model.ts';
import { relevanceRows } from '../../models/result-rows.ts';

/** What it answers (api.jina.ai/redoc, "rerank"). */
interface JinaReply {
  results?: unknown;
  usage?: { total_tokens?: unknown };
}

/**
 * Jina's rerank, and servers with its face (llama.cpp's `/v1/rerank` among them, whose scores are logits). jina-reranker-v3 weighs the
 * candidates against each other: all of them go into one request.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('https://api.jina.ai/v1'),
    api_key: secret().default(''),
    model: z.string().default('jina-reranker-v2-base-multilingual'),
    max_batch: remoteSettings.max_batch.default(1000),
    scale: z
      .enum(['', 'unit', 'logit', 'unknown'])
      .describe('Scale of the scores. Empty: unknown for jina-reranker-v3, else unit')
      .default(''),
  },
  create(settings, deps: RerankModelDeps) {
    const { model, timeout_ms: timeoutMs } = settings;
    const provider = 'jina';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/rerank`;
    const headers = bearer(settings.api_key);
    return createRemoteReranker(
      {
        provider,
        model,
        scale: scales[settings.scale || (model.includes('-v3') ? 'unknown' : 'unit')],
        settings,
        async request(query, documents, signal) {
          const body = { model, query, documents, top_n: documents.length, return_documents: false };
          const request = { dependency: provider, fetch: deps.fetch, url, headers, body, timeoutMs };
          const { results, usage } = (await postJson(request, signal)) as JinaReply;
          return { scores: relevanceRows(results), promptTokens: usage?.total_tokens };
        },
      },
      deps,
    );
  },
});
