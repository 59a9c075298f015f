import { create } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { type TokenUsage, TokenUsageSchema, type Vector } from '#gen/ragmesh/common/v1/common_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { internal } from '#kit/base/errors.ts';
import { fromVector, toVector } from '#kit/base/vectors.ts';
import { requireOwnModel } from '../../admission/model-access.ts';
import type { JsonRoute } from '../../http/json-route.ts';
import { badField, parseFields } from '../../http/parse-fields.ts';
import type { OpenAiDeps } from '../deps.ts';
import { type CallOptions, createJsonCall } from '../json-call.ts';
import { defaultModel } from '../models.ts';
import { embeddingsSchema, readInput } from '../schemas/embeddings.ts';
import { refuseTooManyTokens } from '../schemas/token-bound.ts';
import { toCost } from '../usage.ts';
import { textsOfTokens } from './tokens.ts';

/** Most values of a body: ids of tokens are many. */
const maxJsonValues = 320_000;

/** `POST /v1/embeddings`. */
export function createEmbeddings(
  embedding: Pick<Client<typeof EmbeddingService>, 'embed' | 'listModels'>,
  deps: OpenAiDeps,
): JsonRoute {
  const roomy = { ...deps, limits: { ...deps.limits, maxJsonValues } };
  return createJsonCall('/v1/embeddings', EmbeddingService.method.embed, roomy, async (value, options, admission) => {
    const body = parseFields(embeddingsSchema, value);
    const input = readInput(body.input);
    const inputs = 'tokens' in input ? await textsOfTokens(input.tokens) : input;
    refuseTooManyTokens(inputs, 'input');
    const model = body.model === defaultModel ? '' : (body.model ?? '');
    requireOwnModel(admission, model);
    const { dimensions } = body;
    if (typeof dimensions === 'number') await checkDimensions(embedding, model, dimensions, options);
    const vectors: (Vector | undefined)[] = new Array(inputs.length).fill(undefined);
    const usage = create(TokenUsageSchema);
    let answeredBy = model;
    const purpose = body.input_type ?? Purpose.UNSPECIFIED;
    for await (const batch of embedding.embed({ model, inputs, purpose }, options)) {
      for (const [offset, vector] of batch.vectors.entries()) vectors[batch.firstIndex + offset] = vector;
      add(usage, batch.usage);
      answeredBy = batch.model || answeredBy;
    }
    if (vectors.length !== inputs.length || vectors.includes(undefined)) {
      throw internal(new Error(`of ${inputs.length} texts, not each got one vector`));
    }
    const wordless = giveDirection(vectors);
    const write = body.encoding_format === 'base64' ? toBase64 : toNumbers;
    const promptTokens = Number(usage.promptTokens);
    const cost = toCost(usage);
    return {
      object: 'list',
      data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: write(vector) })),
      model: answeredBy,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      ...(Object.keys(cost).length === 0 ? {} : { ragmesh: cost }),
      ...(wordless.length === 0 ? {} : { warnings: [warningOf(wordless)] }),
    };
  });
}

/**
 * Gives a vector of zeros, which a model has for a text without words, the same length as the others: a cosine with zeros is not defined, and
 * stores refuse it or divide by it. Returns the positions of these texts.
 */
function giveDirection(vectors: (Vector | undefined)[]): number[] {
  return vectors.flatMap((vector, index) => {
    const values = fromVector(vector);
    if (values.some((value) => value !== 0)) return [];
    vectors[index] = toVector(new Float32Array(values.length).fill(1 / Math.sqrt(values.length)));
    return [index];
  });
}

function warningOf(wordless: readonly number[]): string {
  const shown = wordless.slice(0, 10).join(', ');
  const more = wordless.length > 10 ? ` and ${wordless.length - 10} more` : '';
  return `input ${shown}${more}: no words that the model knows, so the direction of the vector means nothing`;
}

// A model's vectors have the length that its configuration gives them; a shorter part of them would be another space.
async function checkDimensions(
  embedding: Pick<Client<typeof EmbeddingService>, 'listModels'>,
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
