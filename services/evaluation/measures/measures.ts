import type { Client } from '@connectrpc/connect';
import type { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { ClaimService } from '#gen/ragmesh/chat/v1/claim_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { SuiteKind, SuiteKindSchema } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { enumName } from '#kit/base/enums.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import { createFindPersonalData } from '#kit/personal-data/find.ts';
import { finderOf } from '#kit/personal-data/policy.ts';
import type { EvaluationSettings } from '../config.ts';
import { measureAnswers } from './answers.ts';
import { measureCache } from './cache.ts';
import { suiteOf } from './figures.ts';
import type { Measure } from './measure.ts';
import { measurePersonalData } from './personal-data.ts';
import { measureRetrieval } from './retrieval.ts';
import { measureRouter } from './router.ts';
import { measureVerifier } from './verifier.ts';

/** The services that suites ask. Those in `optionalClients` may be absent. */
export interface MeasuredServices {
  clients: { retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'> };
  optionalClients: {
    chat: () => Pick<Client<typeof ChatService>, 'ask'>;
    claims: () => Pick<Client<typeof ClaimService>, 'checkClaim'>;
    cache: () => Pick<Client<typeof CacheService>, 'matchQuestion'>;
  };
  config: Pick<EvaluationSettings, 'questionTimeoutMs' | 'personalData'>;
}

/** Returns how a suite is measured for a tenant. Throws FAILED_PRECONDITION if its service is not part of the deployment. */
export function measureOf(services: MeasuredServices, suite: SuiteKind, tenant: string): Measure {
  try {
    return create(services, suiteOf(suite), tenant);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const name = enumName(SuiteKindSchema, suite).toLowerCase();
    throw failedPrecondition(
      ErrorReason.NOT_IMPLEMENTED,
      `the suite "${name}" cannot be measured here: ${error.message}`,
    );
  }
}

function create({ clients, optionalClients, config }: MeasuredServices, suite: SuiteKind, tenant: string): Measure {
  const { questionTimeoutMs: timeoutMs } = config;
  switch (suite) {
    case SuiteKind.ANSWERS:
    case SuiteKind.CONVERSATIONS:
      return measureAnswers(optionalClients.chat(), suite === SuiteKind.CONVERSATIONS);
    case SuiteKind.ROUTER:
      return measureRouter(optionalClients.chat(), timeoutMs);
    case SuiteKind.VERIFIER:
      return measureVerifier(optionalClients.claims(), timeoutMs);
    case SuiteKind.CACHE:
      return measureCache(optionalClients.cache(), timeoutMs);
    case SuiteKind.PERSONAL_DATA: {
      const policy = config.personalData.ofTenant(tenant);
      return measurePersonalData(policy ? finderOf(policy) : createFindPersonalData({}), timeoutMs);
    }
    default:
      return measureRetrieval(clients.retrieval, timeoutMs);
  }
}
