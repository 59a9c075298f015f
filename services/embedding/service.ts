import { Code, type ServiceImpl } from '@connectrpc/connect';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { rpcError } from '#kit/errors.ts';
import { toVector } from '#kit/vectors.ts';
import { cutBatches, mapInOrder } from './batches.ts';
import type { EmbeddingModel } from './embedding-model.ts';

/** A model under the name that callers use. */
export interface NamedModel {
  name: string;
  adapter: string;
  model: EmbeddingModel;
}

/** Vectors of a message together stay below this, far from the limit of a gRPC message. */
const maxMessageBytes = 1 << 20;

/** The rpcs of the embedding service over its models; the first one is the default. */
export function createEmbedding(models: readonly NamedModel[]): ServiceImpl<typeof EmbeddingService> {
  const find = (name: string): NamedModel => {
    const found = name === '' ? models[0] : models.find((candidate) => candidate.name === name);
    if (found !== undefined) return found;
    const known = models.map((candidate) => candidate.name).join(', ');
    const message = `no embedding model "${name}"; configured are: ${known}`;
    throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, message, { metadata: { model: name } });
  };
  return {
    async *embed({ model: wanted, inputs, purpose }, { signal }) {
      const { name, model } = find(wanted);
      const fitting = Math.floor(maxMessageBytes / (4 * model.dimensions));
      const batches = cutBatches(inputs, Math.max(1, Math.min(model.maxBatch, fitting)));
      const what = purpose === Purpose.UNSPECIFIED ? Purpose.DOCUMENT : purpose;
      const finished = mapInOrder(batches, model.maxConcurrent, signal, async ({ firstIndex, texts }, ends) => ({
        firstIndex,
        ...(await model.embed(texts, what, ends)),
      }));
      for await (const { firstIndex, vectors, promptTokens, reported } of finished) {
        yield {
          firstIndex,
          vectors: vectors.map(toVector),
          model: name,
          usage: {
            promptTokens: BigInt(promptTokens),
            provenance: reported ? UsageProvenance.REPORTED : UsageProvenance.ESTIMATED,
          },
        };
      }
    },
    listModels: () => ({
      models: models.map(({ name, adapter, model: { dimensions, maxInputTokens } }) => ({
        name,
        dimensions,
        maxInputTokens,
        adapter,
      })),
    }),
  };
}
