import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { createBreakers } from '#kit/breaker/breakers.ts';
import { createNamedAdapters } from '#kit/host/config/named-adapters.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { createHttpClient } from '#kit/http/json.ts';
import { readConfig } from './config.ts';
import { createEmbeddingMetrics } from './metrics.ts';
import type { EmbeddingModel, EmbeddingModelDeps } from './models/embedding-model.ts';
import { createEmbedding } from './service.ts';

const adapters = new URL('./adapters/embedding-model/', import.meta.url);

/** Texts to vectors. */
export const embedding = defineService({
  name: 'embedding',
  contracts: [EmbeddingService],
  config: readConfig,
  needs: {},
  deployment: { replicas: { min: 2, max: 20 }, callsProviders: true, failsOver: true, isShared: () => true },
  place: (config) => (usesPostgres(config) ? 'everywhere' : 'owner'),
  async create({ config, log, metrics, clock, random }) {
    const http = createHttpClient({ breakers: createBreakers(metrics, log) });
    try {
      const { models, close } = await createNamedAdapters<EmbeddingModel, EmbeddingModelDeps>(
        adapters,
        config.models,
        (path) => ({ log, path, fetch: http.fetch, clock }),
      );
      return {
        impl: createEmbedding(models, { random, metrics: createEmbeddingMetrics(metrics) }),
        close: async () => {
          await close();
          await http.close();
        },
      };
    } catch (error) {
      await http.close();
      throw error;
    }
  },
});
