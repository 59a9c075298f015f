import { z } from 'zod';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import { createRemoteReranker, remoteSettings } from '../../models/remote-reranker.ts';
import type { RerankModelDeps } from '../../models/rerank-model.ts';
import { relevanceRows } from '../../models/result-rows.ts';

/** What it answers (help.aliyun.com/model-studio/text-rerank-api): the compatible API without `output`. */
interface DashScopeReply {
  output?: { results?: unknown };
  results?: unknown;
  usage?: { total_tokens?: unknown };
}

const paths = {
  native: '/api/v1/services/rerank/text-rerank/text-rerank',
  compatible: '/compatible-api/v1/reranks',
} as const;

/**
 * Alibaba Model Studio's rerank, by its own API or the compatible one. A request takes 500 passages and 30,000 tokens, in which the
 * question counts once for each; a passage is cut at 4000 tokens.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z
      .string()
      .describe('International: "https://dashscope-intl.aliyuncs.com"; a key works in its own region alone')
      .default('https://dashscope.aliyuncs.com'),
    api_key: secret(),
    model: z.string().default('qwen3-rerank'),
    api: z.enum(['native', 'compatible']).describe('The API of Model Studio to call').default('native'),
    max_batch: remoteSettings.max_batch.unwrap().max(500).default(500),
    // The estimate may be a fifth too low.
    max_batch_tokens: remoteSettings.max_batch_tokens.default(24_000),
    instruct: z
      .string()
      .describe(
        'What passages are wanted, in English, for models that take it (qwen3-rerank); empty: what answers the question',
      )
      .default(''),
  },
  create(settings, deps: RerankModelDeps) {
    const { model, api, instruct, timeout_ms: timeoutMs } = settings;
    const provider = 'dashscope';
    const url = `${baseUrlOf(settings.base_url, deps.path)}${paths[api]}`;
    const headers = bearer(settings.api_key);
    return createRemoteReranker(
      {
        provider,
        model,
        scale: ScoreScale.UNIT,
        settings,
        async request(query, documents, signal) {
          const parameters = { top_n: documents.length, ...(instruct !== '' && { instruct }) };
          const body =
            api === 'native'
              ? { model, input: { query, documents }, parameters: { return_documents: false, ...parameters } }
              : { model, query, documents, ...parameters };
          const request = { dependency: provider, fetch: deps.fetch, url, headers, body, timeoutMs };
          const { output, results, usage } = (await postJson(request, signal)) as DashScopeReply;
          return { scores: relevanceRows(output?.results ?? results), promptTokens: usage?.total_tokens };
        },
      },
      deps,
    );
  },
});
