import { Code } from '@connectrpc/connect';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import { mapInOrder } from '#kit/base/map-in-order.ts';
import { toVector } from '#kit/base/vectors.ts';
import type { Named } from '#kit/host/config/named-adapters.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { type Batch, cutBatches } from './batches/batches.ts';
import { withRetry } from './batches/retry.ts';
import { embedTruncated } from './batches/truncate.ts';
import type { EmbeddingMetrics } from './metrics.ts';
import { type EmbeddedBatch, type EmbeddingModel, TextTooLongError } from './models/embedding-model.ts';

/** Vectors of a message together stay below this, far from the limit of a gRPC message. */
const maxMessageBytes = 1 << 20;

/** What the service works with beside its models. */
export interface EmbeddingDeps {
  /** A number from 0 up to 1. */
  random: () => number;
  metrics: EmbeddingMetrics;
}

/** The rpcs of the embedding service over its models; the first one is the default. */
export function createEmbedding(
  models: readonly Named<EmbeddingModel>[],
  { random, metrics }: EmbeddingDeps,
): ServiceHandlers<typeof EmbeddingService> {
  const find = (name: string): Named<EmbeddingModel> => {
    const found =
      name === '' ? models[0] : models.find((candidate) => candidate.name === name || candidate.model.name === name);
    if (found !== undefined) return found;
    // Does not list the models: the caller may be one who may not see them.
    const message = `no embedding model "${name}": name one of embedding.models, or leave the model out for the default one`;
    throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model: name } });
  };
  const embedBatch = async (
    { name, model }: Named<EmbeddingModel>,
    { firstIndex, texts }: Batch,
    { purpose, truncate }: { purpose: Purpose; truncate: boolean },
    context: CallContext,
    signal: AbortSignal,
  ): Promise<EmbeddedBatch & { firstIndex: number; truncatedCount: number }> => {
    const bounds = { random, leftMs: () => context.timeoutMs(), signal };
    metrics.batchTexts.observe({ purpose: purpose === Purpose.QUERY ? 'query' : 'document' }, texts.length);
    const embed = (some: readonly string[]) => withRetry(() => model.embed(some, purpose, signal), bounds);
    try {
      if (truncate) return { firstIndex, ...(await embedTruncated(texts, model.maxInputTokens, embed)) };
      return { firstIndex, ...(await embed(texts)), truncatedCount: 0 };
    } catch (error) {
      throw error instanceof TextTooLongError ? tooLong(error, name, model, firstIndex, texts.length) : error;
    }
  };
  return {
    async *embed({ model: wanted, inputs, purpose, truncate }, context) {
      const found = find(wanted);
      const { name, model } = found;
      const fitting = Math.floor(maxMessageBytes / (4 * model.dimensions));
      const size = Math.max(1, Math.min(model.maxBatch, fitting));
      const batches = cutBatches(inputs, { size, tokens: model.maxBatchTokens });
      const what = purpose === Purpose.UNSPECIFIED ? Purpose.DOCUMENT : purpose;
      const finished = mapInOrder(batches, model.maxConcurrent, context.signal, (batch, signal) =>
        embedBatch(found, batch, { purpose: what, truncate }, context, signal),
      );
      for await (const { firstIndex, vectors, promptTokens, reported, truncatedCount } of finished) {
        yield {
          firstIndex,
          vectors: vectors.map(toVector),
          model: name,
          truncatedCount,
          usage: {
            promptTokens: BigInt(promptTokens),
            provenance: reported ? UsageProvenance.REPORTED : UsageProvenance.ESTIMATED,
          },
        };
      }
    },
    listModels: () => ({
      models: models.map(({ name, adapter, model: { name: space, dimensions, maxInputTokens } }) => ({
        name,
        dimensions,
        maxInputTokens,
        adapter,
        space,
      })),
    }),
  };
}

/** INVALID_ARGUMENT that names the input of the request. */
function tooLong(
  { textIndex, cause }: TextTooLongError,
  name: string,
  { maxInputTokens }: EmbeddingModel,
  firstIndex: number,
  count: number,
) {
  const limit = maxInputTokens === 0 ? 'than it takes' : `than the ${maxInputTokens} tokens that it takes`;
  const which =
    textIndex === undefined
      ? `one of inputs[${firstIndex}] to inputs[${firstIndex + count - 1}]`
      : `inputs[${firstIndex + textIndex}]`;
  const field = textIndex === undefined ? 'inputs' : which;
  return invalidArgument(`${which} is longer for ${name} ${limit}: cut it into smaller ones`, {
    violations: [{ field, description: `longer ${limit}` }],
    metadata: { model: name },
    cause,
  });
}
