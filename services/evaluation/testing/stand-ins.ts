import { Code } from '@connectrpc/connect';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { RetrievalService, type RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import { defineService } from '#kit/host/define-service.ts';

/** What a test reads and sets of the search. */
export interface SearchProbe {
  /** Requests, in the order in which they came. */
  requests: RetrieveRequest[];
  /** Tenants that searched. */
  tenants: Set<string>;
  /** Searches in flight, now and at most. */
  runningCount: number;
  mostRunningCount: number;
  /** Runs before each search is answered. */
  beforeAnswer: (request: RetrieveRequest, signal: AbortSignal) => Promise<void>;
}

/**
 * Creates a search for tests: the words of a question are the documents found, each by two passages. "late" is searched without
 * the reranker, "down" fails this once, "gone" fails as every question would.
 */
export function createSearch() {
  const probe: SearchProbe = {
    requests: [],
    tenants: new Set(),
    runningCount: 0,
    mostRunningCount: 0,
    beforeAnswer: async () => {},
  };
  const retrieval = defineService({
    name: 'retrieval',
    contracts: [RetrievalService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *retrieve(request, context) {
          probe.requests.push(request);
          probe.tenants.add(context.principal.tenant);
          probe.runningCount++;
          probe.mostRunningCount = Math.max(probe.mostRunningCount, probe.runningCount);
          try {
            await probe.beforeAnswer(request, context.signal);
            if (request.query === 'down') throw unavailable('index', 'the index cannot be reached');
            if (request.query === 'gone') {
              throw rpcError(Code.NotFound, ErrorReason.CORPUS_NOT_FOUND, 'no corpus "gone"');
            }
            const words = request.query.split(' ');
            const passages = words.flatMap((documentId) => [
              { documentId, chunkId: `${documentId}-1` },
              { documentId, chunkId: `${documentId}-2` },
            ]);
            const isLate = words.includes('late');
            const late = { stage: Stage.RERANK, reason: 'no result after 300 ms', effect: 'kept the fused order' };
            const degradations = isLate ? [late] : [];
            yield { event: { case: 'fused' as const, value: { passages, degradations } } };
          } finally {
            probe.runningCount--;
          }
        },
      },
      close: async () => {},
    }),
  });
  return { retrieval, probe };
}
