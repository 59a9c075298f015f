import { create } from '@bufbuild/protobuf';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  Leg,
  type RetrieveRequest,
  type RetrieveResponse,
  RetrieveResponseSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { ownTurn } from '#kit/base/own-turn.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { toLegHit, toPassage } from '../convert.ts';
import type { IndexRegistry } from '../index/index-registry.ts';
import { type CorpusView, emptyIndexView } from '../index/index-view.ts';
import { type LegDeps, type LegOutcome, runLeg } from './legs.ts';
import { planSearch } from './plan.ts';
import { type SelectDeps, type SelectedPassage, selectPassages } from './select/select.ts';

/** What a search needs. */
export interface SearchDeps extends LegDeps, SelectDeps {
  indices: IndexRegistry;
}

/** Runs a search. Yields one message for each leg as it ends, then the fused result. */
export async function* retrieve(
  deps: SearchDeps,
  request: RetrieveRequest,
  context: CallContext,
): AsyncIterable<RetrieveResponse> {
  const startedAt = performance.now();
  const principal = context.principal;
  const held = await deps.indices.acquire(principal.tenant);
  // The whole search uses one view, so that no answer mixes versions.
  const read = held?.index.beginRead();
  try {
    await ownTurn();
    const plan = planSearch(deps.settings, read?.view ?? emptyIndexView, principal, request, context);
    const outcomes: LegOutcome[] = [];
    const legs = plan.legs.map((leg) => runLeg(deps, leg, plan.search, context, context.signal));
    for await (const outcome of inOrderOfCompletion(legs)) {
      if (held !== undefined && held.index.purgedKeys.size > 0) {
        outcome.hits = outcome.hits.filter(({ key }) => !held.index.purgedKeys.has(key));
      }
      outcomes.push(outcome);
      yield legMessage(outcome);
    }
    await ownTurn();
    const result = await selectPassages(deps, plan, request, outcomes, context);
    deps.metrics.retrievalLatencyMs.observe({ index: 'all' }, performance.now() - startedAt);
    const usedVectors = outcomes.some(({ leg, degradation }) => leg === Leg.VECTOR && degradation === undefined);
    const { spaces } = plan.search;
    const byId = new Map(plan.corpora.map((corpus) => [corpus.corpusId, corpus]));
    yield create(RetrieveResponseSchema, {
      event: {
        case: 'fused',
        value: {
          passages: result.passages.map((selected) => toSelectedPassage(selected, byId, outcomes)),
          versions: plan.corpora.map(({ name, live }) => ({ corpus: name, version: BigInt(live) })),
          degradations: [
            ...outcomes.flatMap(({ degradation }) => (degradation === undefined ? [] : [degradation])),
            ...(result.degradation === undefined ? [] : [result.degradation]),
          ],
          embeddingModel: usedVectors ? [...new Set(spaces.map(({ model }) => model))].join(', ') : '',
          rerankModel: result.rerankModel,
        },
      },
    });
  } finally {
    read?.end();
    held?.release();
  }
}

function legMessage({ leg, hits, latencyUs, degradation }: LegOutcome): RetrieveResponse {
  const value = { leg, hits: hits.map(toLegHit), latencyUs: BigInt(latencyUs), ...(degradation && { degradation }) };
  return create(RetrieveResponseSchema, { event: { case: 'leg', value } });
}

function toSelectedPassage(
  { record, fused, reranked, duplicateIds, joinedIds }: SelectedPassage,
  corpora: ReadonlyMap<number, CorpusView>,
  outcomes: readonly LegOutcome[],
): Passage {
  const scoreOf = (leg: Leg) =>
    outcomes.find((outcome) => outcome.leg === leg)?.hits.find(({ key }) => key === record.key)?.score;
  const vector = scoreOf(Leg.VECTOR);
  const keyword = scoreOf(Leg.KEYWORD);
  const web = scoreOf(Leg.WEB);
  return toPassage(record, corpora.get(record.corpusId), {
    scores: {
      fused,
      ...(vector !== undefined && { vector }),
      ...(keyword !== undefined && { keyword }),
      ...(web !== undefined && { web }),
      ...(reranked !== undefined && { rerank: reranked.score }),
    },
    duplicateChunkIds: duplicateIds,
    joinedChunkIds: joinedIds,
  });
}

async function* inOrderOfCompletion<T>(work: readonly Promise<T>[]): AsyncIterable<T> {
  const pending = new Map(work.map((promise, index) => [index, promise.then((value) => ({ index, value }))]));
  while (pending.size > 0) {
    const { index, value } = await Promise.race(pending.values());
    pending.delete(index);
    yield value;
  }
}
