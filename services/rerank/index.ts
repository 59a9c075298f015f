import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { createBreakers } from '#kit/breaker/breakers.ts';
import { createNamedAdapters } from '#kit/host/config/named-adapters.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { createHttpClient } from '#kit/http/json.ts';
import { calls } from '#kit/rpc/needs.ts';
import { readConfig } from './config.ts';
import type { RerankModel, RerankModelDeps } from './models/rerank-model.ts';
import { createRerank } from './service.ts';

const adapters = new URL('./adapters/rerank-model/', import.meta.url);

/** Candidates in the order of their worth for a question. */
export const rerank = defineService({
  name: 'rerank',
  contracts: [RerankService],
  config: readConfig,
  needs: {},
  place: (config) => (usesPostgres(config) ? 'everywhere' : 'owner'),
  // Only a model by the adapter `llm` asks the gateway.
  optionalNeeds: { llm: calls(LLMGatewayService, 'generate') },
  deployment: { replicas: { min: 2, max: 20 }, cpu: 1, callsProviders: true, failsOver: true, isShared: () => true },
  async create({ config, log, metrics, clock, optionalClients }) {
    const http = createHttpClient({ breakers: createBreakers(metrics, log) });
    try {
      const { models, close } = await createNamedAdapters<RerankModel, RerankModelDeps>(
        adapters,
        config.models,
        (path) => ({ log, path, fetch: http.fetch, clock, llm: optionalClients.llm }),
      );
      return {
        impl: createRerank(models, { log }),
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
