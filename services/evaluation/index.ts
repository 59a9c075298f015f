import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { defineService } from '#kit/host/define-service.ts';
import { calls } from '#kit/rpc/needs.ts';
import { readConfig } from './config.ts';
import { createEvaluationMetrics } from './metrics.ts';
import { createEvaluation } from './service.ts';
import { createEvaluationStore, type EvaluationTables, migrations } from './store.ts';

/** Measures retrieval on judged questions. */
export const evaluation = defineService({
  name: 'evaluation',
  contracts: [EvaluationService],
  config: readConfig,
  needs: { retrieval: calls(RetrievalService, 'retrieve') },
  deployment: {
    replicas: { min: 1, max: 1 },
    isOffline: true,
    callsPerReplica: 10,
    stores: ['postgres'],
    signsTokens: true,
  },
  move: ({ copyRecords }) => copyRecords('evaluation', migrations),
  async create(deps) {
    const database = await deps.openDatabase<EvaluationTables>('evaluation', migrations);
    const figures = createEvaluationMetrics(deps.metrics, deps.clock);
    return { impl: createEvaluation({ ...deps, figures }, createEvaluationStore(database)), close: async () => {} };
  },
});
