import type { ServiceImpl } from '@connectrpc/connect';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { callerOf } from '#kit/rpc/context.ts';
import { toCorpus, toPassage } from '../convert.ts';
import { type CorpusState, isVisible } from '../index/tenant-state.ts';
import { explain } from '../search/explain/explain.ts';
import { retrieve, type SearchDeps } from '../search/search.ts';

/** Returns the rpcs for readers. */
export function createReaderRpcs(deps: SearchDeps): ServiceImpl<typeof RetrievalService> {
  const { catalog, indices } = deps;
  return {
    retrieve: (request, context) => retrieve(deps, request, context),

    explain: (request, context) => explain(deps, request, context),

    async getPassages({ chunkIds }, context) {
      const principal = callerOf(context);
      const held = await indices.acquire(principal.tenant);
      if (held === undefined) return { passages: [] };
      const { state, end } = held.index.beginRead();
      try {
        const corpora = new Map([...state.corpora.values()].map((corpus) => [corpus.corpusId, corpus]));
        const scope = {
          corpora: [...corpora.values()].map(({ corpusId, live }) => ({ corpusId, version: live })),
          aclIds: state.aclIdsOf(principal),
          filter: undefined,
        };
        const wanted = chunkIds.map((id) => id.toWellFormed());
        const records = await catalog.documents.livePassages(principal.tenant, wanted, scope, context.signal);
        // The first of each id: a second one would break the order that the caller counts on.
        const first = records.filter(({ chunkId }, position) => records[position - 1]?.chunkId !== chunkId);
        return { passages: first.map((record) => toPassage(record, corpora.get(record.corpusId) as CorpusState)) };
      } finally {
        end();
        held.release();
      }
    },

    async listCorpora(_request, context) {
      const principal = callerOf(context);
      const held = await indices.acquire(principal.tenant);
      if (held === undefined) return { corpora: [] };
      const { state } = held.index;
      held.release();
      const visible = [...state.corpora.values()].filter((corpus) => isVisible(state, corpus, principal));
      return { corpora: visible.map((corpus) => toCorpus(state, corpus, state.visibleCounts(corpus, principal))) };
    },
  };
}
