import { z } from 'zod';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf, bearer, postJson } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../models/embedding-model.ts';
import { createRemoteModel } from '../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../models/remote-settings.ts';

/**
 * Hugging Face's Text Embeddings Inference, `/embed`. It runs one model, answers bare vectors without usage, takes
 * `--max-client-batch-size` texts (32 by default), and may cut long texts silently (`--auto-truncate`): each request forbids it.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string().default('http://127.0.0.1:8080'),
    api_key: secret().default(''),
    model: z.string().describe('The model that the server runs; names the vectors'),
    max_batch: remoteSettings.max_batch.default(32),
    query_prompt: z
      .string()
      .describe(`Name of the prompt for questions, of the model's config_sentence_transformers.json; empty: none`)
      .default(''),
    document_prompt: z.string().describe('Name of the prompt for documents; empty: none').default(''),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model } = settings;
    const provider = 'tei';
    const url = `${baseUrlOf(settings.base_url, deps.path)}/embed`;
    const own = remoteIdentity(model, settings, deps.path);
    const prompts = [settings.query_prompt, settings.document_prompt];
    // Other prompts make other vectors of the same text.
    const name = prompts.some((prompt) => prompt !== '') ? `${own.name}-${prompts.join('-')}` : own.name;
    return createRemoteModel(
      {
        provider,
        model,
        identity: { ...own, name },
        settings,
        indexed: false,
        async request(texts, purpose, signal) {
          const prompt = purpose === Purpose.QUERY ? settings.query_prompt : settings.document_prompt;
          const body = {
            inputs: texts,
            truncate: false,
            normalize: true,
            ...(prompt !== '' && { prompt_name: prompt }),
            ...(own.askedDimensions && { dimensions: own.askedDimensions }),
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
          const rows = await postJson(request, signal);
          return { vectors: Array.isArray(rows) ? rows.map((embedding: unknown) => ({ embedding })) : rows };
        },
      },
      deps,
    );
  },
});
