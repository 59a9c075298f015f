import { z } from 'zod';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import type { EmbeddingModelDeps } from '../../../models/embedding-model.ts';
import { createRemoteModel } from '../../../models/remote-model.ts';
import { remoteIdentity, remoteSettings } from '../../../models/remote-settings.ts';
import { createOpenAIRequest } from '../../vendors/openai/request.ts';

/**
 * Any server with OpenAI's embeddings: vLLM, llama.cpp, LiteLLM, LM Studio, … Models that embed questions and documents differently learn
 * which it is by a prefix, by another name for questions, or by a field of the request.
 */
export const adapter = defineAdapter({
  settings: {
    ...remoteSettings,
    base_url: z.string(),
    api_key: secret().describe('Empty: none is sent').default(''),
    model: z.string(),
    query_model: z
      .string()
      .describe('Name of the model for questions, if it has another one. Empty: that of `model`')
      .default(''),
    purpose_field: z
      .string()
      .regex(
        /^(?!(?:model|input|encoding_format|dimensions)$)\w{0,64}$/,
        'is not the name of a free field of the request',
      )
      .describe(
        'Field of the request that says what a text is: "input_type" (NVIDIA NIM, Voyage), "task" (Jina). Empty: none',
      )
      .default(''),
    query_purpose: z.string().describe('Its value for questions: "query"; Jina: "retrieval.query"').default('query'),
    document_purpose: z
      .string()
      .describe('Its value for documents: Voyage "document", NVIDIA NIM "passage", Jina "retrieval.passage"')
      .default('document'),
    encoding: z.enum(['base64', 'float']).describe('Encoding of vectors in replies').default('base64'),
    reply_model: z.string().describe('Id that replies must have. Empty: that of the first reply').default(''),
  },
  create(settings, deps: EmbeddingModelDeps) {
    const { model, encoding, reply_model: replyModel } = settings;
    const provider = 'openai-compatible';
    const { query_model: queryModel, purpose_field: field, query_purpose, document_purpose } = settings;
    const marks = field === '' ? [queryModel] : [queryModel, field, query_purpose, document_purpose];
    const identity = remoteIdentity(model, settings, deps.path, marks);
    const request = createOpenAIRequest({
      provider,
      fetch: deps.fetch,
      baseURL: baseUrlOf(settings.base_url, deps.path),
      apiKey: settings.api_key,
      model,
      fieldsOf: (purpose) => ({
        ...(queryModel !== '' && purpose === Purpose.QUERY && { model: queryModel }),
        ...(field !== '' && { [field]: purpose === Purpose.QUERY ? query_purpose : document_purpose }),
      }),
      encoding,
      dimensions: identity.askedDimensions,
      timeoutMs: settings.timeout_ms,
    });
    const names = { model, replyModel, ...(queryModel !== '' && { queryModel }) };
    return createRemoteModel({ provider, ...names, identity, settings, indexed: true, request }, deps);
  },
});
