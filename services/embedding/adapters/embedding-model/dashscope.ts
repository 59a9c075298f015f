import { z } from 'zod';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';

/** What it answers (help.aliyun.com/model-studio/text-embedding-synchronous-api, "DashScope"). */
interface DashScopeReply {
  output?: { embeddings?: unknown };
  usage?: { total_tokens?: unknown };
}

const path = '/api/v1/services/embeddings/text-embedding/text-embedding';

/**
 * Alibaba Model Studio by its own API, which embeds questions and documents differently (`text_type`); the compatible one cannot. Texts in
 * a request: 10 for v3 and later, 25 before.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z
      .string()
      .describe('International: "https://dashscope-intl.aliyuncs.com"; a key works in its own region alone')
      .default('https://dashscope.aliyuncs.com'),
    api_key: secret(),
    model: z.string().default('text-embedding-v4'),
    max_batch: z.int().min(0).max(25).describe('0: by the model').default(0),
    instruct: z
      .string()
      .describe('What questions look for, in English, for models that take it (v4); empty: nothing')
      .default(''),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model, instruct } = settings;
    const provider = 'dashscope';
    const url = `${baseUrlOf(settings.base_url, deps.path)}${path}`;
    const identity = remoteIdentity(model, settings, deps.path);
    const byModel = /-v[12]$/.test(model) ? 25 : 10;
    return createRemoteModel(
      {
        provider,
        model,
        identity,
        settings: { ...settings, max_batch: settings.max_batch || byModel },
        indexed: true,
        async request(texts, purpose, signal) {
          const isQuery = purpose === Purpose.QUERY;
          const body = {
            model,
            input: { texts },
            parameters: {
              text_type: isQuery ? 'query' : 'document',
              output_type: 'dense',
              ...(identity.askedDimensions && { dimension: identity.askedDimensions }),
              ...(isQuery && instruct !== '' && { instruct }),
            },
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
          const { output, usage } = (await postJson(request, signal)) as DashScopeReply;
          const rows = output?.embeddings;
          return {
            vectors: Array.isArray(rows)
              ? rows.map((row: { text_index?: unknown; embedding?: unknown } | null) => ({
                  index: row?.text_index,
                  embedding: row?.embedding,
                }))
              : rows,
            promptTokens: usage?.total_tokens,
          };
        },
      },
      deps,
    );
  },
});
