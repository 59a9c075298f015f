import { create } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { Leg, RetrievalService, RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { createRetrievalMetrics } from '../metrics.ts';
import { retrieve, type SearchDeps } from './search.ts';

/** Tenants whose catalog is opened; the others open theirs with their first search. */
const maxTenants = 50;
/** Searches of the first tenant: after so many, the engine has compiled most of the code. */
const searchCount = 50;
/** Words that a corpus of help texts is likely to have, in both languages that have their own rules. */
const query = '如何修改账号密码和退款 how do I change my account, password or order';

/**
 * Searches for these tenants, so that their first searches find open files and compiled code. No other service is called, because a provider of
 * embeddings or a reranker may cost money. The results are dropped, and neither the log nor the metrics have them.
 */
export async function warmSearches(deps: SearchDeps, tenants: readonly string[], signal: AbortSignal): Promise<void> {
  const silent = { ...deps, log: createLogger('silent'), metrics: createRetrievalMetrics(createMetrics()) };
  for (const [index, tenant] of tenants.slice(0, maxTenants).entries()) {
    const principal = create(PrincipalSchema, { tenant, user: 'warm-up', roles: [Role.SERVICE] });
    for (let count = 0; count < (index === 0 ? searchCount : 1); count++) {
      const request = create(RetrieveRequestSchema, { query, legs: [Leg.KEYWORD], rerank: false });
      for await (const _ of retrieve(silent, request, contextOf(principal, signal))) signal.throwIfAborted();
    }
  }
}

function contextOf(principal: CallContext['principal'], signal: AbortSignal): CallContext {
  return {
    ...{ method: RetrievalService.method.retrieve, principal, authorization: '', signal },
    ...{ requestHeader: new Headers(), responseHeader: new Headers(), responseTrailer: new Headers() },
    timeoutMs: () => undefined,
    onEnd: () => {},
    forward: () => ({ signal }),
  };
}
