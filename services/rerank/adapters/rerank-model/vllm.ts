import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import { createRemoteReranker, remoteSettings, scales } from '../../models/remote-reranker.ts';
import type { RerankModelDeps } from '../../models/rerank-model.ts';
import { relevanceRows } from '../../models/result-rows.ts';

/** What it answers (vllm/entrypoints/openai/protocol.py, RerankResponse). */
interface VllmReply {
  results?: unknown;
  usage?: { total_tokens?: unknown };
}

/** vLLM's `/v1/rerank`: a cross-encoder's scores are 0 to 1, an embedding model's are cosines ("unknown"). */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('http://127.0.0.1:8000/v1'),
    api_key: secret().default(''),
    model: z.string(),
    scale: z.enum(['unit', 'logit', 'unknown']).describe('Scale of the scores').default('unit'),
    truncate_prompt_tokens: z
      .int()
      .min(0)
      .max(1_000_000)
      .describe(
        'Tokens at which question and passage together are cut. 0: none are cut, and one that is too long is an error',
      )
      .default(0),
  },
  create(settings, deps: RerankModelDeps) {
    const { model, truncate_prompt_tokens, timeout_ms: timeoutMs } = settings;
    const provider = 'vllm';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/rerank`;
    const headers = bearer(settings.api_key);
    return createRemoteReranker(
      {
        provider,
        model,
        scale: scales[settings.scale],
        settings,
        async request(query, documents, signal) {
          // top_n 0: all of them.
          const body = {
            model,
            query,
            documents,
            top_n: 0,
            ...(truncate_prompt_tokens > 0 && { truncate_prompt_tokens }),
          };
          const request = { dependency: provider, fetch: deps.fetch, url, headers, body, timeoutMs };
          const { results, usage } = (await postJson(request, signal)) as VllmReply;
          return { scores: relevanceRows(results), promptTokens: usage?.total_tokens };
        },
      },
      deps,
    );
  },
});
