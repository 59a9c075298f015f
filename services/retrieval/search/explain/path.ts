import { create } from '@bufbuild/protobuf';
import {
  type ChunkPath,
  ChunkPathSchema,
  type ExplainResponse,
  Leg,
  LegSchema,
  Verdict,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { TracedChunk } from '../../catalog/passages.ts';
import type { LegOutcome } from '../legs.ts';
import type { SearchPlan } from '../plan.ts';
import type { Selection } from '../select/select.ts';

/** A search with the outcome of every stage. */
export interface SearchTrace {
  plan: SearchPlan;
  /** The hits of the legs, down to rank `depth`. */
  deep: readonly LegOutcome[];
  /** The legs' scores of the document's chunks by key, at any rank. */
  own: readonly { leg: Leg; hits: ReadonlyMap<number, number> }[];
  selection: Selection;
  depth: number;
}

/** Returns the outcome of each stage of a search for a chunk. */
export function pathOf(chunk: TracedChunk, { plan, deep, own, selection, depth }: SearchTrace): ChunkPath {
  const { key } = chunk;
  const { limit } = plan.search;
  const legs = deep
    .filter(({ leg, degradation }) => leg !== Leg.WEB && degradation === undefined)
    .map(({ leg, hits }) => {
      const index = hits.findIndex((hit) => hit.key === key);
      const score = hits[index]?.score ?? own.find((one) => one.leg === leg)?.hits.get(key) ?? 0;
      return { leg, rank: index + 1, score, depth, neededScore: hits.slice(0, limit).at(-1)?.score ?? 0 };
    });
  const fusedIndex = selection.fused.findIndex((hit) => hit.key === key);
  const rankedIndex = selection.ranked.findIndex(({ record }) => record.key === key);
  const reranked = selection.ranked[rankedIndex]?.reranked;
  const rank = selection.passages.findIndex(({ record }) => record.key === key) + 1;
  const duplicateOf = selection.duplicates.get(key) ?? '';
  const words = new Set(tokenize([chunk.title, ...chunk.headingPath, chunk.text].join('\n'), { mode: 'index' }));
  const searched = plan.search.words.map(({ word }) => word);
  return create(ChunkPathSchema, {
    chunkId: chunk.chunkId,
    ordinal: chunk.ordinal,
    verdict: verdictOf(rank, duplicateOf, fusedIndex, legs),
    legs,
    fusedRank: fusedIndex + 1,
    fusedScore: selection.fused[fusedIndex]?.score ?? 0,
    duplicateOf,
    ...(reranked !== undefined && {
      rerankRank: rankedIndex + 1,
      rerankScore: reranked.score,
      rerankSigns: reranked.signs,
    }),
    rank,
    matchedWords: searched.filter((word) => words.has(word)).slice(0, maxWords),
    boost: chunk.boost ?? 0,
    rankWithoutBoosts: selection.ranked.some(({ record }) => (record.boost ?? 0) !== 0)
      ? selection.unboosted.findIndex(({ record }) => record.key === key) + 1
      : 0,
    missingWords: searched.filter((word) => !words.has(word)).slice(0, maxWords),
  });
}

const maxWords = 100;

function verdictOf(
  rank: number,
  duplicateOf: string,
  fusedIndex: number,
  legs: readonly { rank: number; score: number }[],
): Verdict {
  if (rank > 0) return Verdict.IN_RESULT;
  if (duplicateOf !== '') return Verdict.DUPLICATE;
  if (fusedIndex >= 0) return Verdict.BELOW_TOP_K;
  return legs.some((leg) => leg.rank > 0 || leg.score > 0) ? Verdict.BELOW_CANDIDATES : Verdict.NOT_FOUND;
}

/** Returns the paths ordered by the last stage that they reached, the furthest first. */
export function byFurthest(paths: readonly ChunkPath[]): ChunkPath[] {
  const last = Number.MAX_SAFE_INTEGER;
  const bestRank = (path: ChunkPath) => Math.min(last, ...path.legs.map(({ rank }) => rank || last));
  return [...paths].sort(
    (a, b) =>
      b.verdict - a.verdict ||
      (a.rank || last) - (b.rank || last) ||
      (a.rerankRank || last) - (b.rerankRank || last) ||
      (a.fusedRank || last) - (b.fusedRank || last) ||
      bestRank(a) - bestRank(b) ||
      a.ordinal - b.ordinal,
  );
}

/** Returns the verdict as a sentence. */
export function summaryOf({ verdict, chunks, topK, candidateLimit, version }: ExplainResponse): string {
  const [best] = chunks;
  switch (verdict) {
    case Verdict.NO_ACCESS:
      return 'Its access list does not include the caller.';
    case Verdict.DELETED:
      return 'It was deleted; the stores are still removing it.';
    case Verdict.OTHER_VERSION:
      return `The live version ${version} does not hold it, but other versions do.`;
    case Verdict.NO_TEXT:
      return `Version ${version} has it without any text: it is hidden, or no text was read from it.`;
    case Verdict.OTHER_CORPUS:
      return 'The search does not include its corpus.';
    case Verdict.FILTERED:
      return "It does not match the search's filter.";
    case Verdict.NOT_FOUND:
      return 'No leg finds it: it has no word of the question, and its vector is not near.';
    case Verdict.BELOW_CANDIDATES:
      return `It is not among the best ${candidateLimit} candidates of a leg: ${legsOf(best)}.`;
    case Verdict.DUPLICATE:
      return `It is a near-duplicate of "${best?.duplicateOf}", which ranks higher and represents it.`;
    case Verdict.BELOW_TOP_K:
      return `It was a candidate (${ranksOf(best)}), below the ${topK} requested passages.`;
    case Verdict.IN_RESULT:
      return `It is number ${best?.rank} of the result (${ranksOf(best)}).`;
    default:
      return 'The live version does not hold it.';
  }
}

function legsOf(path: ChunkPath | undefined): string {
  const ranks = (path?.legs ?? []).map(({ leg, rank, depth, score }) => {
    const name = enumName(LegSchema, leg).toLowerCase();
    if (rank > 0) return `rank ${rank} of ${name}`;
    return score > 0 ? `below rank ${depth} of ${name}` : `not found by ${name}`;
  });
  return ranks.join(', ');
}

function ranksOf(path: ChunkPath | undefined): string {
  if (path === undefined) return '';
  const fused = path.fusedRank > 0 ? [`${path.fusedRank} after fusion`] : [];
  const reranked = path.rerankRank > 0 ? [`${path.rerankRank} after rerank`] : [];
  return [legsOf(path), ...fused, ...reranked].join(', ');
}
