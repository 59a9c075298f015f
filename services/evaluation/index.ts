import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ClaimService } from '#gen/ragmesh/chat/v1/claim_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { InstallationService } from '#gen/ragmesh/evaluation/v1/installation_pb.ts';
import { EvaluationJobService } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { defineService } from '#kit/host/define-service.ts';
import { createHttpClient } from '#kit/http/json.ts';
import { calls } from '#kit/rpc/needs.ts';
import { readConfig } from './config.ts';
import { createReader } from './doctor/sources.ts';
import { createInstallationRpcs } from './installation/installation-rpcs.ts';
import { createAttemptStore } from './jobs/attempt-store.ts';
import { createJobRpcs } from './jobs/job-rpcs.ts';
import { startJobRunner } from './jobs/job-runner.ts';
import { createJobStore } from './jobs/job-store.ts';
import { createEvaluationMetrics, registerSuites } from './metrics.ts';
import { startNightly } from './nightly/run-nightly.ts';
import { createSuiteStore } from './nightly/suite-store.ts';
import { createEvaluation } from './service.ts';
import { createEvaluationStore, type EvaluationTables, migrations } from './store.ts';

/** Measures retrieval, answers and their parts on judged questions. */
export const evaluation = defineService({
  name: 'evaluation',
  contracts: [EvaluationService, EvaluationJobService, InstallationService],
  config: readConfig,
  needs: { retrieval: calls(RetrievalService, 'retrieve') },
  // What suites other than retrieval ask.
  optionalNeeds: {
    chat: calls(ChatService, 'ask'),
    claims: calls(ClaimService, 'checkClaim'),
    cache: calls(CacheService, 'matchQuestion'),
  },
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
    const { metricsUrls: urls, ownMetricsUrl: ownUrl } = deps.config;
    const http = createHttpClient();
    const { registry } = deps.metrics;
    const readMetrics = createReader({ urls, ownUrl, registry, fetch: http.fetch, log: deps.log });
    const store = createEvaluationStore(database);
    const suites = createSuiteStore(database);
    const { nightly: settings } = deps.config;
    registerSuites(deps.metrics, settings, suites);
    if (settings.suites.length > 0 && deps.signer === undefined) {
      throw new ConfigError(
        'identity.private_key',
        'is missing: suites run without a caller. Set the private key of the mesh, or remove evaluation.nightly',
      );
    }
    const jobs = createJobStore(database);
    const runner = startJobRunner({ ...deps, figures, store, attempts: createAttemptStore(database) });
    const nightly = settings.suites.length > 0 && startNightly({ ...deps, figures, settings, store, suites });
    return {
      impl: {
        ...createEvaluation({ ...deps, figures, readMetrics }, store, suites),
        ...createJobRpcs({ ...deps, store, jobs, runner }),
        ...createInstallationRpcs({ ...deps, readMetrics }),
      },
      async close() {
        await runner.close();
        if (nightly) await nightly.close();
        await http.close();
      },
    };
  },
});
