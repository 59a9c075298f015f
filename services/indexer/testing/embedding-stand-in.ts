import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { toVector } from '#kit/base/vectors.ts';
import { defineService } from '#kit/host/define-service.ts';

/** A fake embedding service: embeds by length and first character, and counts its inputs. */
export function createEmbeddingStandIn() {
  const stand = {
    model: 'stand-in',
    /** Longest input, in tokens; 0: no limit. */
    maxInputTokens: 0,
    inputs: [] as string[],
    /** Runs before each call; may throw or wait. */
    before: (): void | Promise<void> => {},
    /** Looks at the texts of each call; may throw. */
    check: (_inputs: readonly string[]): void => {},
    /** Runs before each batch of a call; may throw. */
    beforeBatch: (_index: number): void => {},
    definition: defineService({
      name: 'embedding',
      contracts: [EmbeddingService],
      config: () => ({}),
      needs: {},
      async create() {
        return {
          close: async () => {},
          impl: {
            listModels: () => ({
              models: [{ name: stand.model, dimensions: 4, maxInputTokens: stand.maxInputTokens }],
            }),
            async *embed({ inputs, model }) {
              await stand.before();
              stand.check(inputs);
              stand.inputs.push(...inputs);
              for (let firstIndex = 0; firstIndex < inputs.length; firstIndex += 64) {
                stand.beforeBatch(firstIndex / 64);
                const vectors = inputs
                  .slice(firstIndex, firstIndex + 64)
                  .map((text) => toVector(Float32Array.of(text.length, text.charCodeAt(0), 1, 0)));
                yield { firstIndex, vectors, model };
              }
            },
          },
        };
      },
    }),
  };
  return stand;
}

/** The type of the fake embedding service. */
export type EmbeddingStandIn = ReturnType<typeof createEmbeddingStandIn>;
