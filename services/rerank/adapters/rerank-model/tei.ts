import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
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
    base_url: { type: 'string', default: 'http://127.0.0.1:8080' },
    api_key: { type: 'string', default: '', secret: true },
    /** The model that the server runs; its name alone. */
    model: { type: 'string', default: 'tei' },
    max_batch: { ...remoteSettings.max_batch, default: 32 },
    /** Whether scores are logits. */
    raw_scores: { type: 'boolean', default: false },
    /** Whether a passage that is longer than the model takes is cut; else it is an error. */
    truncate: { type: 'boolean', default: true },
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
