import { z } from 'zod';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import { createRemoteReranker, remoteSettings } from '../../models/remote-reranker.ts';
import type { RerankModelDeps } from '../../models/rerank-model.ts';
import { relevanceRows } from '../../models/result-rows.ts';

/** What it answers (docs.cohere.com/reference/rerank). */
interface CohereReply {
  results?: unknown;
  meta?: { tokens?: { input_tokens?: unknown } };
}

/** Cohere's rerank, v2. It cuts each passage at `max_tokens_per_doc`. */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('https://api.cohere.com'),
    api_key: secret(),
    model: z.string().default('rerank-v3.5'),
    max_batch: remoteSettings.max_batch.default(1000),
    max_tokens_per_doc: z.int().min(1).max(1_000_000).describe('Longest passage that is read, in tokens').default(4096),
  },
  create(settings, deps: RerankModelDeps) {
    const { model, max_tokens_per_doc, timeout_ms: timeoutMs } = settings;
    const provider = 'cohere';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/v2/rerank`;
    const headers = bearer(settings.api_key);
    return createRemoteReranker(
      {
        provider,
        model,
        scale: ScoreScale.UNIT,
        settings,
        async request(query, documents, signal) {
          const body = { model, query, documents, top_n: documents.length, max_tokens_per_doc };
          const request = { dependency: provider, fetch: deps.fetch, url, headers, body, timeoutMs };
          const { results, meta } = (await postJson(request, signal)) as CohereReply;
          return { scores: relevanceRows(results), promptTokens: meta?.tokens?.input_tokens };
        },
      },
      deps,
    );
  },
});
