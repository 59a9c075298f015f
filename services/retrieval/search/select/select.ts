import type { Client } from '@connectrpc/connect';
import { type Degradation, Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { Fusion, Leg, type RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { ownTurn } from '#kit/base/own-turn.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { isNearDuplicate, type Sketch, sketchOf } from '#kit/statistics/near-duplicates.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { PassageRecord } from '../../catalog/passage-record.ts';
import type { RetrievalSettings } from '../../config.ts';
import { type DegradationDeps, reportDegradation } from '../degradation.ts';
import { type FusedHit, type FusedLeg, fuseNormalised, fuseReciprocalRank } from '../fuse.ts';
import { legWeights } from '../leg-weights.ts';
import type { LegOutcome } from '../legs.ts';
import { weighOtherLanguages } from '../other-languages.ts';
import { type SearchPlan, shareOf } from '../plan.ts';
import { type CandidateScore, rerank } from '../rerank.ts';
import { applyBoosts } from './boost.ts';
import { diversify } from './diversify.ts';
import { joinNeighbours } from './neighbours.ts';
import { sectionAround, sectionReach } from './section.ts';

/** What {@link selectPassages} needs. */
export interface SelectDeps extends DegradationDeps {
  catalog: Catalog;
  reranker: Pick<Client<typeof RerankService>, 'rerank'>;
  settings: RetrievalSettings;
  clock: () => number;
}

/** A candidate with its scores. */
export interface Candidate {
  record: PassageRecord;
  /** Fused score, 0 to 1. */
  fused: number;
  reranked: CandidateScore | undefined;
}

/** A passage of the result. */
export interface SelectedPassage extends Candidate {
  /** Near-duplicates that it represents. */
  duplicateIds: string[];
  /** Neighbours that were joined to it. */
  joinedIds: string[];
}

/** The outcome of each stage of the selection. */
export interface Selection {
  fused: readonly FusedHit[];
  /** The best candidates, in the reranker's order if it ran. */
  ranked: readonly Candidate[];
  /** The same candidates as they would be in order if none had a boost; the same list if none has one. */
  unboosted: readonly Candidate[];
  /** By key of a near-duplicate: the chunk id of the candidate that represents it. */
  duplicates: ReadonlyMap<number, string>;
  passages: SelectedPassage[];
  rerankModel: string;
  degradation: Degradation | undefined;
}

/** Share of the remaining time that the reranker may use. */
const rerankShare = 0.7;

/** Candidates beyond `top_k`, to replace near-duplicates and passages that are too similar. */
const spareCount = 10;

/** Selects the passages of the result from the hits of the legs: fusion, rerank, near-duplicates, diversity, neighbours or sections. */
export async function selectPassages(
  deps: SelectDeps,
  plan: SearchPlan,
  request: RetrieveRequest,
  outcomes: readonly LegOutcome[],
  context: CallContext,
): Promise<Selection> {
  const { topK, rerankCount } = plan;
  const bestCount = Math.max(topK + spareCount, rerankCount);
  const { fused, candidates } = await fuseAndRead(deps, plan, request, outcomes, bestCount, context.signal);
  const raised = applyBoosts(candidates, (candidate) => candidate.fused);
  const { ranked, unboosted, rerankModel, degradation } = await rerankBest(deps, plan, raised, context);
  await ownTurn('next');
  const collapses = request.collapseDuplicates ?? true;
  // Diversity chooses among all candidates; otherwise only the first are needed.
  const wanted = request.diversity > 0 ? ranked.length : topK;
  const { kept, duplicates } = collapses ? collapse(ranked, wanted) : { kept: ranked, duplicates: noDuplicates };
  const top = diversify(kept, ({ record }) => record.text, request.diversity, topK);
  const idsOf = Map.groupBy(duplicates, ([, id]) => id);
  const byKey = new Map(ranked.map(({ record }) => [record.key, record.chunkId]));
  const passages = top.map((candidate): SelectedPassage => {
    const others = idsOf.get(candidate.record.chunkId) ?? [];
    return { ...candidate, duplicateIds: others.map(([key]) => byKey.get(key) as string), joinedIds: [] };
  });
  await join(deps, plan, passages, request, context.signal);
  return { fused, ranked, unboosted, duplicates, passages, rerankModel, degradation };
}

const noDuplicates: ReadonlyMap<number, string> = new Map();

/** Fuses the hits of the legs, and reads the passages of the best `count`. */
async function fuseAndRead(
  deps: SelectDeps,
  plan: SearchPlan,
  request: RetrieveRequest,
  outcomes: readonly LegOutcome[],
  count: number,
  signal: AbortSignal,
): Promise<Pick<Selection, 'fused'> & { candidates: Candidate[] }> {
  const legs = legsOf(plan, outcomes);
  const isByRank = request.fusion === Fusion.RECIPROCAL_RANK;
  const fused = isByRank ? fuseReciprocalRank(legs) : fuseNormalised(legs);
  const ofVectors = legs.find(({ leg }) => leg === Leg.VECTOR);
  const read = (hits: readonly FusedHit[]) => readCandidates(deps, plan, hits, outcomes, signal);
  if (plan.crossLanguage === Language.UNSPECIFIED || ofVectors === undefined || isByRank) {
    return { fused, candidates: await read(fused.slice(0, count)) };
  }
  const parts = fuseNormalised([ofVectors]);
  const candidates = await read([
    ...new Map([...fused.slice(0, count), ...parts.slice(0, count)].map((hit) => [hit.key, hit])).values(),
  ]);
  const byKey = new Map(candidates.map((candidate) => [candidate.record.key, candidate]));
  const languageOf = (key: number) => byKey.get(key)?.record.language ?? Language.UNSPECIFIED;
  const found = new Set(legs.flatMap(({ leg, hits }) => (leg === Leg.VECTOR ? [] : hits.map(({ key }) => key))));
  const weighed = weighOtherLanguages(fused, parts, { found, languageOf, question: plan.crossLanguage });
  const best = weighed.slice(0, count).flatMap(({ key, score }) => {
    const candidate = byKey.get(key);
    return candidate === undefined ? [] : [{ ...candidate, fused: score }];
  });
  return { fused: weighed, candidates: best };
}

/** Returns the legs that succeeded with their weights. Throws UNAVAILABLE without any of the tenant's own index. */
function legsOf(plan: SearchPlan, outcomes: readonly LegOutcome[]): (FusedLeg & { leg: Leg })[] {
  const done = outcomes.filter(({ degradation }) => degradation === undefined);
  // Results from the web alone do not replace an index that cannot be read.
  const isOwn = ({ leg }: { leg: Leg }) => leg !== Leg.WEB;
  if (done.length === 0 || (outcomes.some(isOwn) && !done.some(isOwn))) {
    const reasons = outcomes.map(({ degradation }) => degradation?.reason).filter((reason) => reason !== undefined);
    throw unavailable('index', `no search leg succeeded: ${reasons.join('; ')}`);
  }
  const weights = legWeights(
    done.map(({ leg }) => leg),
    plan.vectorWeight,
  );
  return done.map(({ leg, hits }) => ({ leg, weight: weights.get(leg) ?? 0, hits }));
}

async function readCandidates(
  { catalog, clock }: SelectDeps,
  { search }: SearchPlan,
  best: readonly FusedHit[],
  outcomes: readonly LegOutcome[],
  signal: AbortSignal,
): Promise<Candidate[]> {
  const records = new Map(outcomes.flatMap(({ pages }) => [...pages]));
  const keys = best.flatMap(({ key }) => (records.has(key) ? [] : [key]));
  if (keys.length > 0) {
    const found = await catalog.passages.read(search.tenant, keys, search.scope, signal);
    for (const record of found) records.set(record.key, record);
  }
  const nowMs = clock();
  return best.flatMap(({ key, score }): Candidate[] => {
    const record = records.get(key);
    return record === undefined || !isValid(record, nowMs) ? [] : [{ record, fused: score, reranked: undefined }];
  });
}

/** Reports whether the document of a passage is valid now, by what it says itself. Pages from the web say nothing. */
function isValid({ validFromMs, validUntilMs }: PassageRecord, nowMs: number): boolean {
  return (validFromMs === undefined || nowMs >= validFromMs) && (validUntilMs === undefined || nowMs < validUntilMs);
}

async function rerankBest(
  deps: SelectDeps,
  { search, rerankCount, rerankTimeoutMs, hasTitles }: SearchPlan,
  candidates: readonly Candidate[],
  context: CallContext,
): Promise<Pick<Selection, 'ranked' | 'unboosted' | 'rerankModel' | 'degradation'>> {
  const asFused = () => withoutBoosts(candidates, ({ fused }) => fused);
  const head = candidates.slice(0, rerankCount);
  if (head.length === 0) return { ranked: candidates, unboosted: asFused(), rerankModel: '', degradation: undefined };
  const timeoutMs = shareOf(context, rerankShare, rerankTimeoutMs);
  try {
    const question = search.fullQuery;
    const { scores, model, degradation } = await rerank(
      deps.reranker,
      question,
      head,
      hasTitles,
      timeoutMs,
      context,
      context.signal,
    );
    const scored = head.map((candidate, index) => ({ ...candidate, reranked: scores[index] as CandidateScore }));
    // Sorting is stable: equal scores stay in the fused order.
    scored.sort((a, b) => b.reranked.score - a.reranked.score);
    deps.metrics.rerankTotal.inc({ effect: effectOf(head, scored) });
    const rest = candidates.slice(rerankCount);
    const raised = applyBoosts(scored, ({ reranked }) => reranked.score);
    return {
      ranked: [...raised, ...rest],
      unboosted: raised === scored ? [...raised, ...rest] : [...scored, ...withoutBoosts(rest, ({ fused }) => fused)],
      rerankModel: model,
      degradation,
    };
  } catch (error) {
    context.signal.throwIfAborted();
    const degradation = reportDegradation(deps, Stage.RERANK, error, 'kept the fused order');
    deps.metrics.rerankTotal.inc({ effect: 'failed' });
    return { ranked: candidates, unboosted: asFused(), rerankModel: '', degradation };
  }
}

function withoutBoosts(candidates: readonly Candidate[], scoreOf: (one: Candidate) => number): readonly Candidate[] {
  return candidates.toSorted((a, b) => scoreOf(b) - scoreOf(a));
}

function effectOf(fused: readonly Candidate[], scored: readonly Candidate[]): string {
  const at = scored.findIndex(({ record }, index) => record.key !== fused[index]?.record.key);
  return at === -1 ? 'none' : at === 0 ? 'first' : 'order';
}

/**
 * Returns the first `wanted` candidates that are not near-duplicates of a better one. A web page never represents a document, nor a
 * document a page.
 */
function collapse(
  ranked: readonly Candidate[],
  wanted: number,
): { kept: Candidate[]; duplicates: Map<number, string> } {
  const kept: { candidate: Candidate; text: string; sketch: Sketch }[] = [];
  const duplicates = new Map<number, string>();
  for (const candidate of ranked) {
    if (kept.length >= wanted) break;
    const { text, corpusId, key } = candidate.record;
    const one = { candidate, text, sketch: sketchOf(text) };
    const same = kept.find((other) => other.candidate.record.corpusId === corpusId && isNearDuplicate(other, one));
    if (same === undefined) kept.push(one);
    else duplicates.set(key, same.candidate.record.chunkId);
  }
  return { kept: kept.map(({ candidate }) => candidate), duplicates };
}

/** Joins to each passage its neighbours, or its section, without the chunks that are passages of the result. */
async function join(
  { catalog }: SelectDeps,
  { search }: SearchPlan,
  passages: SelectedPassage[],
  { neighbours: distance, sectionTokens }: RetrieveRequest,
  signal: AbortSignal,
): Promise<void> {
  const keys = passages.flatMap(({ record }) => (record.key > 0 ? [record.key] : []));
  const reach = sectionTokens > 0 ? sectionReach : distance;
  if (keys.length === 0 || reach === 0) return;
  const found = await catalog.passages.readNeighbours(search.tenant, keys, reach, search.scope, signal);
  const taken = new Set(keys);
  const byKey = Map.groupBy(found, ({ key }) => key);
  for (const one of passages) {
    const around = (byKey.get(one.record.key) ?? []).map(({ neighbour }) => neighbour);
    const free = around.filter(({ key }) => !taken.has(key));
    const neighbours = sectionTokens > 0 ? sectionAround(one.record, free, sectionTokens) : free;
    if (sectionTokens > 0) for (const { key } of neighbours) taken.add(key);
    const { record, joinedIds } = joinNeighbours(one.record, neighbours);
    one.record = record;
    one.joinedIds = joinedIds;
  }
}
