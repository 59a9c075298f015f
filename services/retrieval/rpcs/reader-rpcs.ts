import { create } from '@bufbuild/protobuf';
import type { Passage, Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type ListCorporaResponse,
  ListCorporaResponseSchema,
  type RetrievalService,
  type RetrieveRequest,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createMasksOf } from '#kit/personal-data/request-masks.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';
import { toCorpus, toPassage } from '../convert.ts';
import type { CorpusView, IndexView } from '../index/index-view.ts';
import { readIndex } from '../index/read-index.ts';
import { explain } from '../search/explain/explain.ts';
import { retrieve, type SearchDeps } from '../search/search.ts';
import { canariesOf } from '../trials/trial.ts';

/** Returns the rpcs for readers: RetrievalService. */
export function createReaderRpcs(deps: SearchDeps): ServiceHandlers<typeof RetrievalService> {
  const { catalog, indices } = deps;
  const masksOf = createMasksOf(deps.settings.personalData);
  // The documents are masked too, and the question goes to the providers of embeddings and of the reranker.
  const masked = (request: RetrieveRequest, { principal }: CallContext): RetrieveRequest => {
    const masks = masksOf(principal);
    return masks === undefined ? request : { ...request, query: masks.mask(request.query) };
  };
  return {
    retrieve: (request, context) => retrieve(deps, masked(request, context), context),

    explain: (request, context) =>
      explain(deps, { ...request, ...(request.search && { search: masked(request.search, context) }) }, context),

    async getPassages({ chunkIds }, context) {
      const principal = context.principal;
      return readIndex(indices, context, async (view) => {
        const corpora = [...view.corpora.values()];
        const wanted = chunkIds.map((id) => id.toWellFormed());
        const read = async (ids: string[], from: readonly CorpusView[]) => {
          const scope = view.visibility.scopeOf(from, principal);
          const records = await catalog.passages.readByChunkId(principal.tenant, ids, scope, context.signal);
          const byId = new Map(from.map((corpus) => [corpus.corpusId, corpus]));
          // The first of each id: a second one would break the order that the contract promises.
          const first = records.filter(({ chunkId }, position) => records[position - 1]?.chunkId !== chunkId);
          return first.map((record) => toPassage(record, byId.get(record.corpusId)));
        };
        const live = await read(wanted, corpora);
        // Answers to sessions of a version on trial cite its passages.
        const found = new Set(live.map(({ chunkId }) => chunkId));
        const missing = wanted.filter((id) => !found.has(id));
        const canaries = missing.length === 0 ? [] : canariesOf(corpora);
        const others = canaries.length === 0 ? [] : await read(missing, canaries);
        const order = new Map(wanted.map((id, position) => [id, position]));
        const placeOf = ({ chunkId }: Passage) => order.get(chunkId) ?? 0;
        const passages = others.length === 0 ? live : [...live, ...others].sort((a, b) => placeOf(a) - placeOf(b));
        return { passages };
      });
    },

    async listCorpora(_request, context) {
      const principal = context.principal;
      const held = await indices.acquire(principal.tenant, context.signal);
      if (held === undefined) return { corpora: [] };
      const { view } = held.index;
      held.release();
      return listed(view, principal);
    },
  };
}

// Each question asks for the list, and a view never changes: those who see the same get the same message. By access lists; operators and
// services see every corpus.
const lists = new WeakMap<IndexView, WeakMap<readonly number[], Map<boolean, ListCorporaResponse>>>();

function listed(view: IndexView, principal: Principal): ListCorporaResponse {
  const { visibility } = view;
  // Few keys are limited to corpora: their lists are made each time.
  if (principal.corpora.length > 0) return listOf(view, principal);
  let byAccess = lists.get(view);
  if (byAccess === undefined) {
    byAccess = new WeakMap();
    lists.set(view, byAccess);
  }
  const aclIds = visibility.aclIdsOf(principal);
  let made = byAccess.get(aclIds);
  if (made === undefined) {
    made = new Map();
    byAccess.set(aclIds, made);
  }
  const seesAll = visibility.seesAll(principal);
  let list = made.get(seesAll);
  if (list === undefined) {
    list = shareMessage(listOf(view, principal));
    made.set(seesAll, list);
  }
  return list;
}

function listOf(view: IndexView, principal: Principal): ListCorporaResponse {
  const { visibility } = view;
  const visible = [...view.corpora.values()].filter((corpus) => visibility.isVisible(corpus, principal));
  const corpora = visible.map((corpus) => toCorpus(view, corpus, visibility.countsOf(corpus, principal)));
  return create(ListCorporaResponseSchema, { corpora });
}
