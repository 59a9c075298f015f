import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import { createRemoteReranker, remoteSettings, scales } from '../../models/remote-reranker.ts';
import type { RerankModelDeps } from '../../models/rerank-model.ts';
import { relevanceRows } from '../../models/result-rows.ts';

/** What it answers (xorbitsai/inference xinference/types.py, Rerank). */
interface XinferenceReply {
  results?: unknown;
  meta?: { tokens?: { input_tokens?: unknown } } | null;
}

/** Xinference's `/v1/rerank`. Some of its models give logits: set `scale`. */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('http://127.0.0.1:9997/v1'),
    api_key: secret().default(''),
    model: z.string().describe(`The model's uid`),
    max_concurrent: remoteSettings.max_concurrent.default(2),
    scale: z.enum(['unit', 'logit', 'unknown']).describe('Scale of the scores').default('unit'),
  },
  create(settings, deps: RerankModelDeps) {
    const { model, timeout_ms: timeoutMs } = settings;
    const provider = 'xinference';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/rerank`;
    const headers = bearer(settings.api_key);
    return createRemoteReranker(
      {
        provider,
        model,
        scale: scales[settings.scale],
        settings,
        async request(query, documents, signal) {
          const flags = { top_n: documents.length, return_documents: false, return_len: true };
          const body = { model, query, documents, ...flags };
          const request = { dependency: provider, fetch: deps.fetch, url, headers, body, timeoutMs };
          const { results, meta } = (await postJson(request, signal)) as XinferenceReply;
          return { scores: relevanceRows(results), promptTokens: meta?.tokens?.input_tokens };
        },
      },
      deps,
    );
  },
});
