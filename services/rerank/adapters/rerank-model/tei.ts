import { z } from 'zod';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import { createRemoteReranker, remoteSettings } from '../../models/remote-reranker.ts';
import type { RerankModelDeps } from '../../models/rerank-model.ts';

/**
 * Hugging Face's Text Embeddings Inference, `/rerank`. It runs one model, takes `--max-client-batch-size` texts (32 by default), and gives
 * scores from 0 to 1, or logits with `raw_scores`.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('http://127.0.0.1:8080'),
    api_key: secret().default(''),
    model: z.string().describe('The model that the server runs; its name alone').default('tei'),
    max_batch: remoteSettings.max_batch.default(32),
    raw_scores: z.boolean().describe('Whether scores are logits').default(false),
    truncate: z
      .boolean()
      .describe('Whether a passage that is longer than the model takes is cut; else it is an error')
      .default(true),
  },
  create(settings, deps: RerankModelDeps) {
    const { raw_scores, truncate, timeout_ms: timeoutMs } = settings;
    const provider = 'tei';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/rerank`;
    const headers = bearer(settings.api_key);
    return createRemoteReranker(
      {
        provider,
        model: settings.model,
        scale: raw_scores ? ScoreScale.LOGIT : ScoreScale.UNIT,
        settings,
        async request(query, texts, signal) {
          const body = { query, texts, raw_scores, truncate, return_text: false };
          const request = { dependency: provider, fetch: deps.fetch, url, headers, body, timeoutMs };
          // Sorted by score; each row names its text.
          return { scores: await postJson(request, signal) };
        },
      },
      deps,
    );
  },
});
