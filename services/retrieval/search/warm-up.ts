import { create } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EmbedResponseSchema } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { RerankResponseSchema } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { Leg, RetrievalService, RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { toVector } from '#kit/base/vectors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { createRetrievalMetrics } from '../metrics.ts';
import { retrieve, type SearchDeps } from './search.ts';

/** Tenants whose catalog is opened; the others open theirs with their first search. */
const maxTenants = 50;
/** Searches of the first tenant: after so many, the engine has compiled most of the code. */
const searchCount = 50;
/** Time after which no further search begins, in milliseconds. */
const longestMs = 1000;
/** Words that a corpus of help texts is likely to have, in both languages that have their own rules: the engine compiles for each apart. */
const queries = [
  '如何修改账号密码和退款',
  'how do I change my account, password or order',
  '如何修改 password of my account',
];

/**
 * Searches for these tenants, so that their first searches find open files and compiled code. No other service is called, because a provider of
 * embeddings or a reranker may cost money: both get made-up answers. The results are dropped, and neither the log nor the metrics have them.
 */
export async function warmSearches(deps: SearchDeps, tenants: readonly string[], signal: AbortSignal): Promise<void> {
  const quiet = { ...deps, log: createLogger('silent'), metrics: createRetrievalMetrics(createMetrics()), reranker };
  const startedAt = performance.now();
  for (const [index, tenant] of tenants.slice(0, maxTenants).entries()) {
    const embedding = await embeddingFor(deps, tenant, signal);
    const principal = create(PrincipalSchema, { tenant, user: 'warm-up', roles: [Role.SERVICE] });
    for (let count = 0; count < (index === 0 ? searchCount : 1); count++) {
      const query = queries[count % queries.length] as string;
      const request = create(RetrieveRequestSchema, { query, legs: [Leg.VECTOR, Leg.KEYWORD] });
      const context = contextOf(principal, signal);
      for await (const _ of retrieve({ ...quiet, embedding }, request, context)) signal.throwIfAborted();
      if (performance.now() - startedAt > longestMs) return;
    }
  }
}

/** Returns a client that answers with a vector of the tenant's dimensions. */
async function embeddingFor({ indices }: SearchDeps, tenant: string, signal: AbortSignal) {
  const held = await indices.acquire(tenant, signal);
  const versions = [...(held?.index.view.corpora.values() ?? [])].flatMap((corpus) => corpus.versions);
  held?.release();
  return {
    async *embed({ model }: { model?: string | undefined }) {
      const dimensions = versions.find((version) => version.model === model)?.dimensions ?? 1;
      const vector = Float32Array.from({ length: dimensions }, (_, index) => Math.sin(index + 1));
      yield create(EmbedResponseSchema, { model: model ?? '', vectors: [toVector(vector)] });
    },
  };
}

/** A reranker that scores all candidates alike. */
const reranker = {
  async *rerank({ candidates = [] }: { candidates?: readonly unknown[] | undefined }) {
    const passages = candidates.map((_, index) => ({ index, score: 0.5 }));
    yield create(RerankResponseSchema, { event: { case: 'scored', value: { passages } } });
    yield create(RerankResponseSchema, { event: { case: 'done', value: { model: 'warm-up' } } });
  },
};

function contextOf(principal: CallContext['principal'], signal: AbortSignal): CallContext {
  return {
    ...{ method: RetrievalService.method.retrieve, principal, authorization: '', signal },
    ...{ requestHeader: new Headers(), responseHeader: new Headers(), responseTrailer: new Headers() },
    timeoutMs: () => undefined,
    abort: () => {},
    onEnd: () => {},
    forward: () => ({ signal }),
  };
}
