import { create } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { type TokenUsage, TokenUsageSchema, type Vector } from '#gen/ragmesh/common/v1/common_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { internal } from '#kit/base/errors.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { requireOwnModel } from '../admission/model-access.ts';
import { anything, badField, list, number, object, type Reader, text, word } from '../http/fields.ts';
import type { JsonRoute } from '../http/json-route.ts';
import type { OpenAiDeps } from './deps.ts';
import { type CallOptions, createJsonCall } from './json-call.ts';
import { defaultModel } from './models.ts';
import { refuseTooManyTokens } from './token-bound.ts';
import { toCost } from './usage.ts';

const maxInputs = 2048;
const maxInputLength = 1 << 20;

// Models differ in the words for it; these are OpenAI-compatible servers', Cohere's and Voyage's.
const purposes = {
  query: Purpose.QUERY,
  search_query: Purpose.QUERY,
  document: Purpose.DOCUMENT,
  search_document: Purpose.DOCUMENT,
  passage: Purpose.DOCUMENT,
} as const;

const readInput: Reader<string[]> = (value, path) => {
  const texts = typeof value === 'string' ? [value] : value;
  const first = Array.isArray(texts) ? texts[0] : undefined;
  if (typeof first === 'number' || Array.isArray(first)) {
    throw badField(path, 'holds ids of tokens, which differ by model: send the texts themselves');
  }
  return list(text({ min: 1, max: maxInputLength }), { min: 1, max: maxInputs })(texts, path);
};

const readBody = object({
  model: text({ max: 256 }),
  input: readInput,
  encoding_format: word({ float: 'float' as const, base64: 'base64' as const }),
  dimensions: number({ min: 1, max: 8192, whole: true }),
  input_type: word<Purpose>(purposes),
  user: anything,
});

/** `POST /v1/embeddings`. */
export function createEmbeddings(embedding: Client<typeof EmbeddingService>, deps: OpenAiDeps): JsonRoute {
  return createJsonCall('/v1/embeddings', EmbeddingService.method.embed, deps, async (value, options, admission) => {
    const body = readBody(value, '');
    if (body.input === undefined) throw badField('input', 'is missing');
    refuseTooManyTokens(body.input, 'input');
    const model = body.model === defaultModel ? '' : (body.model ?? '');
    requireOwnModel(admission, model);
    if (body.dimensions !== undefined) await checkDimensions(embedding, model, body.dimensions, options);
    const vectors: (Vector | undefined)[] = new Array(body.input.length).fill(undefined);
    const usage = create(TokenUsageSchema);
    let answeredBy = model;
    const purpose = body.input_type ?? Purpose.UNSPECIFIED;
    for await (const batch of embedding.embed({ model, inputs: body.input, purpose }, options)) {
      for (const [offset, vector] of batch.vectors.entries()) vectors[batch.firstIndex + offset] = vector;
      add(usage, batch.usage);
      answeredBy = batch.model || answeredBy;
    }
    if (vectors.length !== body.input.length || vectors.includes(undefined)) {
      throw internal(new Error(`of ${body.input.length} texts, not each got one vector`));
    }
    const write = body.encoding_format === 'base64' ? toBase64 : toNumbers;
    const promptTokens = Number(usage.promptTokens);
    const cost = toCost(usage);
    return {
      object: 'list',
      data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: write(vector) })),
      model: answeredBy,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      ...(Object.keys(cost).length === 0 ? {} : { ragmesh: cost }),
    };
  });
}

// A model's vectors have the length that its configuration gives them; a shorter part of them would be another space.
async function checkDimensions(
  embedding: Client<typeof EmbeddingService>,
  name: string,
  dimensions: number,
  options: CallOptions,
): Promise<void> {
  const { models } = await embedding.listModels({}, options);
  const model = name === '' ? models[0] : models.find((known) => known.name === name);
  // Of a model that is not known, the call itself says so.
  if (model === undefined || model.dimensions === 0 || model.dimensions === dimensions) return;
  throw badField('dimensions', `is ${dimensions}, and vectors of ${model.name} have ${model.dimensions}: leave it out`);
}

function toNumbers(vector: Vector | undefined): number[] {
  return Array.from(fromVector(vector));
}

// Little-endian float32, as OpenAI's own clients read it.
function toBase64(vector: Vector | undefined): string {
  const { buffer, byteOffset, byteLength } = fromVector(vector);
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function add(sum: TokenUsage, usage: TokenUsage | undefined): void {
  if (usage === undefined) return;
  sum.promptTokens += usage.promptTokens;
  if (usage.costMicros === undefined) return;
  sum.costMicros = (sum.costMicros ?? 0n) + usage.costMicros;
  sum.currency = usage.currency;
  sum.priceVersion = usage.priceVersion;
}
