import { create } from '@bufbuild/protobuf';
import { DegradationSchema, type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
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
import { type CorpusView, emptyIndexView, type IndexView } from '../index/index-view.ts';
import { droppedMeanwhile, maxReads } from '../index/read-index.ts';
import type { TenantIndex } from '../index/tenant-index.ts';
import type { MissingRows } from '../reconcile/missing-rows.ts';
import type { Hit } from '../stores/index-row.ts';
import type { Shadows } from '../trials/shadows.ts';
import { type LegDeps, type LegOutcome, runLeg } from './legs.ts';
import { planSearch } from './plan.ts';
import { type SelectDeps, type SelectedPassage, selectPassages } from './select/select.ts';
import { type Viewer, viewerOf } from './viewer.ts';

/** What a search needs. */
export interface SearchDeps extends LegDeps, SelectDeps {
  indices: IndexRegistry;
  /** What the stores lost. */
  missing: Pick<MissingRows, 'degradationsOf'>;
  /** Makes searches in versions on trial too. @default no search */
  shadows?: Pick<Shadows, 'offer'> | undefined;
}

/** Runs a search. Yields one message for each leg as it ends, then the fused result. */
export async function* retrieve(
  deps: SearchDeps,
  request: RetrieveRequest,
  context: CallContext,
  viewer: Viewer = viewerOf(context.principal),
): AsyncIterable<RetrieveResponse> {
  const startedAt = performance.now();
  const held = await deps.indices.acquire(context.principal.tenant, context.signal);
  try {
    // A version that is being built may have access lists that the view does not know yet.
    if (request.versions.length > 0) await held?.index.reload();
    for (let count = 1; count <= maxReads; count++) {
      // The whole search uses one view, so that no answer mixes versions.
      const read = held?.index.beginRead();
      try {
        let fused: RetrieveResponse | undefined;
        const view = read?.view ?? emptyIndexView;
        for await (const message of searchView(deps, held?.index, view, viewer, request, context)) {
          if (message.event.case === 'fused') fused = message;
          // A search that runs again has the legs of its first run.
          else if (count === 1) yield message;
        }
        if (fused !== undefined && (read === undefined || (await read.isWhole(context.signal)))) {
          deps.metrics.retrievalLatencyMs.observe({ index: 'all' }, performance.now() - startedAt);
          if (fused.event.case === 'fused') deps.shadows?.offer(view, request, context, fused.event.value);
          yield fused;
          return;
        }
      } finally {
        read?.end();
      }
    }
    throw droppedMeanwhile();
  } finally {
    held?.release();
  }
}

async function* searchView(
  deps: SearchDeps,
  index: TenantIndex | undefined,
  view: IndexView,
  viewer: Viewer,
  request: RetrieveRequest,
  context: CallContext,
): AsyncIterable<RetrieveResponse> {
  await ownTurn();
  const plan = planSearch(deps.settings, view, viewer, request, context);
  const outcomes: LegOutcome[] = [];
  const legs = plan.legs.map((leg) => runLeg(deps, leg, plan.search, context, context.signal));
  for await (const outcome of inOrderOfCompletion(legs)) {
    if (index !== undefined && index.view.purging.size > 0) {
      outcome.hits = await withoutPurged(deps, index, outcome.hits, context.signal);
    }
    outcomes.push(outcome);
    yield legMessage(outcome);
  }
  await ownTurn('next');
  const result = await selectPassages(deps, plan, request, outcomes, context);
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
          ...deps.missing.degradationsOf(context.principal.tenant, plan.corpora),
          ...(plan.corpora.some(({ live }) => live > 0) ? [] : [nothingPublished]),
        ],
        embeddingModel: usedVectors ? [...new Set(spaces.map(({ model }) => model))].join(', ') : '',
        rerankModel: result.rerankModel,
      },
    },
  });
}

// Says so rather than that there is no answer: the first documents may still be indexed.
const nothingPublished = create(DegradationSchema, {
  stage: Stage.RETRIEVE,
  reason: 'no document that this search could find is published yet',
  effect: 'nothing to search: upload documents, or wait until their job ends',
});

// A store may still find documents that are being purged: the catalog says which of the hits are left.
async function withoutPurged({ catalog }: SearchDeps, index: TenantIndex, hits: Hit[], signal: AbortSignal) {
  const { purging } = index.view;
  const doubtful = hits.filter(({ documentId }) => purging.has(documentId)).map(({ key }) => key);
  if (doubtful.length === 0) return hits;
  const gone = new Set(await catalog.contents.findUnknownKeys(index.tenant, doubtful, signal));
  return hits.filter(({ key }) => !gone.has(key));
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
