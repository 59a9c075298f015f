import { create } from '@bufbuild/protobuf';
import { type Client, Code, type HandlerContext } from '@connectrpc/connect';
import { type Degradation, type Passage, type Principal, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import {
  Fusion,
  Leg,
  type RetrieveRequest,
  type RetrieveResponse,
  RetrieveResponseSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { callerOf } from '#kit/context.ts';
import { invalidArgument, rpcError, unavailable } from '#kit/errors.ts';
import type { Catalog } from './catalog.ts';
import type { PassageRecord } from './catalog-documents.ts';
import type { RetrievalSettings } from './config.ts';
import { toLegHit, toPassage, toRowFilter } from './convert.ts';
import { type FusedHit, fuseNormalised, fuseReciprocalRank } from './fuse.ts';
import { isLeg, type LegDeps, type LegOutcome, type LegSearch, runLeg } from './legs.ts';
import { rerank } from './rerank.ts';
import { degrade } from './stage.ts';
import type { TenantIndices } from './tenant-indices.ts';
import { type CorpusState, emptyTenantState, isVisible, type TenantState } from './tenant-state.ts';
import { corpusNotFound, versionOf } from './versions.ts';

/** What a search works with. */
export interface SearchDeps extends LegDeps {
  catalog: Catalog;
  indices: TenantIndices;
  reranker: Client<typeof RerankService>;
  settings: RetrievalSettings;
}

/** Share of the caller's remaining time that the legs may take together, so that something is left for what follows. */
const legsShare = 0.6;

/** Share of the then remaining time that the reranker may take. */
const rerankShare = 0.7;

const defaultTopK = 8;

/** Searches: a message a leg as it finishes, then the fused result. */
export async function* retrieve(
  deps: SearchDeps,
  request: RetrieveRequest,
  context: HandlerContext,
): AsyncIterable<RetrieveResponse> {
  const startedAt = performance.now();
  const principal = callerOf(context);
  const held = await deps.indices.acquire(principal.tenant);
  // The whole search keeps to one state, so that no answer mixes versions.
  const read = held?.index.beginRead();
  try {
    const state = read?.state ?? emptyTenantState;
    checkRevision(state, request.minRevision);
    const corpora = chooseCorpora(state, principal, request.corpora);
    const search = toSearch(deps, state, principal, corpora, request, context);
    const outcomes: LegOutcome[] = [];
    const legs = chooseLegs(request.legs).map((leg) => runLeg(deps, leg, search, context, context.signal));
    for await (const outcome of inOrderOfFinish(legs)) {
      if (held !== undefined && held.index.purgedKeys.size > 0) {
        outcome.hits = outcome.hits.filter(({ key }) => !held.index.purgedKeys.has(key));
      }
      outcomes.push(outcome);
      yield legMessage(outcome);
    }
    const fused = fuse(deps.settings, request, outcomes);
    const result = await rank(deps, request, search, fused, context);
    deps.metrics.retrievalLatencyMs.observe({ index: 'all' }, performance.now() - startedAt);
    const usedVectors = outcomes.some(({ leg, degradation }) => leg === Leg.VECTOR && degradation === undefined);
    const byId = new Map(corpora.map((corpus) => [corpus.corpusId, corpus]));
    yield create(RetrieveResponseSchema, {
      event: {
        case: 'fused',
        value: {
          passages: result.ranked.map((ranked) => rankedPassage(ranked, byId, outcomes)),
          versions: corpora.map(({ name, live }) => ({ corpus: name, version: BigInt(live) })),
          degradations: [
            ...outcomes.flatMap(({ degradation }) => (degradation === undefined ? [] : [degradation])),
            ...(result.degradation === undefined ? [] : [result.degradation]),
          ],
          embeddingModel: usedVectors ? [...new Set(search.spaces.map(({ model }) => model))].join(', ') : '',
          rerankModel: result.rerankModel,
        },
      },
    });
  } finally {
    read?.end();
    held?.release();
  }
}

/** A candidate in its final place. */
interface Ranked {
  record: PassageRecord;
  fused: number;
  rerank: number | undefined;
}

/** The best candidates with their passages, in the reranker's order where there is one. */
async function rank(
  deps: SearchDeps,
  request: RetrieveRequest,
  search: LegSearch,
  fused: readonly FusedHit[],
  context: HandlerContext,
): Promise<{ ranked: Ranked[]; rerankModel: string; degradation?: Degradation }> {
  const topK = request.topK || defaultTopK;
  const rerankCount = (request.rerank ?? true) ? deps.settings.rerankCandidates : 0;
  const best = fused.slice(0, Math.max(topK, rerankCount));
  if (best.length === 0) return { ranked: [], rerankModel: '' };
  const keys = best.map(({ key }) => key);
  const found = await deps.catalog.documents.passages(search.tenant, keys, search.scope, context.signal);
  const records = new Map(found.map((record) => [record.key, record]));
  const candidates = best.flatMap(({ key, score }): Ranked[] => {
    const record = records.get(key);
    return record === undefined ? [] : [{ record, fused: score, rerank: undefined }];
  });
  const head = candidates.slice(0, rerankCount);
  if (head.length === 0) return { ranked: candidates.slice(0, topK), rerankModel: '' };
  const timeoutMs = shareOf(context, rerankShare, deps.settings.rerankTimeoutMs);
  try {
    const { scores, model } = await rerank(deps.reranker, search.query, head, timeoutMs, context, context.signal);
    for (const [index, candidate] of head.entries()) candidate.rerank = scores[index] as number;
    // Sorting is stable: equals stay in the fused order.
    head.sort((a, b) => (b.rerank as number) - (a.rerank as number));
    return { ranked: [...head, ...candidates.slice(rerankCount)].slice(0, topK), rerankModel: model };
  } catch (error) {
    context.signal.throwIfAborted();
    const degradation = degrade(deps, Stage.RERANK, error, 'kept the fused order');
    return { ranked: candidates.slice(0, topK), rerankModel: '', degradation };
  }
}

function fuse(settings: RetrievalSettings, request: RetrieveRequest, outcomes: readonly LegOutcome[]): FusedHit[] {
  const done = outcomes.filter(({ degradation }) => degradation === undefined);
  if (done.length === 0) {
    const reasons = outcomes.map(({ degradation }) => degradation?.reason).join('; ');
    throw unavailable('index', `no search came to an end: ${reasons}`);
  }
  const vectorWeight = request.vectorWeight ?? settings.vectorWeight;
  // What remains of the legs has all the weight.
  const weightOf = (leg: Leg) => (done.length === 1 ? 1 : leg === Leg.VECTOR ? vectorWeight : 1 - vectorWeight);
  const legs = done.map(({ leg, hits }) => ({ weight: weightOf(leg), hits }));
  return request.fusion === Fusion.RECIPROCAL_RANK ? fuseReciprocalRank(legs) : fuseNormalised(legs);
}

function toSearch(
  { settings }: SearchDeps,
  state: TenantState,
  principal: Principal,
  corpora: readonly CorpusState[],
  request: RetrieveRequest,
  context: HandlerContext,
): LegSearch {
  const live = corpora.filter(({ live: version }) => version > 0);
  return {
    tenant: principal.tenant,
    query: request.query.toWellFormed(),
    limit: Math.max(request.candidates || settings.candidates, request.topK),
    scope: {
      corpora: live.map(({ corpusId, live: version }) => ({ corpusId, version })),
      aclIds: state.aclIdsOf(principal),
      filter: toRowFilter(request.filter),
    },
    spaces: live.map((corpus) => versionOf(corpus, corpus.live)),
    timeoutMs: shareOf(context, legsShare, settings.legTimeoutMs),
  };
}

function shareOf(context: HandlerContext, share: number, longestMs: number): number {
  const leftMs = context.timeoutMs();
  return leftMs === undefined ? longestMs : Math.min(longestMs, Math.ceil(leftMs * share));
}

function chooseLegs(asked: readonly Leg[]): Leg[] {
  if (asked.length === 0) return [Leg.VECTOR, Leg.KEYWORD];
  const legs = [...new Set(asked)];
  if (!legs.every(isLeg)) throw invalidArgument('legs: unknown leg');
  return legs;
}

function chooseCorpora(state: TenantState, principal: Principal, asked: readonly string[]): CorpusState[] {
  if (asked.length === 0) return [...state.corpora.values()].filter((corpus) => isVisible(state, corpus, principal));
  return [...new Set(asked)].map((name) => {
    const corpus = state.corpora.get(name);
    if (corpus === undefined || !isVisible(state, corpus, principal)) throw corpusNotFound(name);
    return corpus;
  });
}

/** Throws ABORTED where the state is older than a revision that a write gave. */
function checkRevision(state: TenantState, minRevision: string): void {
  if (minRevision === '') return;
  const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(minRevision);
  if (match === null) throw invalidArgument(`min_revision: "${minRevision}" is no revision`);
  if (match[1] === state.epoch && Number(match[2]) <= state.revisionNumber) return;
  const message = `revision ${minRevision} is not here yet; the index is at ${state.revision || 'none'}`;
  throw rpcError(Code.Aborted, ErrorReason.REVISION_NOT_REACHED, message, { metadata: { revision: state.revision } });
}

function legMessage({ leg, hits, latencyUs, degradation }: LegOutcome): RetrieveResponse {
  const value = { leg, hits: hits.map(toLegHit), latencyUs: BigInt(latencyUs), ...(degradation && { degradation }) };
  return create(RetrieveResponseSchema, { event: { case: 'leg', value } });
}

function rankedPassage(
  { record, fused, rerank: score }: Ranked,
  corpora: ReadonlyMap<number, CorpusState>,
  outcomes: readonly LegOutcome[],
): Passage {
  const scoreOf = (leg: Leg) =>
    outcomes.find((outcome) => outcome.leg === leg)?.hits.find(({ key }) => key === record.key)?.score;
  const vector = scoreOf(Leg.VECTOR);
  const keyword = scoreOf(Leg.KEYWORD);
  return toPassage(record, corpora.get(record.corpusId) as CorpusState, {
    fused,
    ...(vector !== undefined && { vector }),
    ...(keyword !== undefined && { keyword }),
    ...(score !== undefined && { rerank: score }),
  });
}

async function* inOrderOfFinish<T>(work: readonly Promise<T>[]): AsyncIterable<T> {
  const pending = new Map(work.map((promise, index) => [index, promise.then((value) => ({ index, value }))]));
  while (pending.size > 0) {
    const { index, value } = await Promise.race(pending.values());
    pending.delete(index);
    yield value;
  }
}
