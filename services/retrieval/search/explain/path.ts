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
import type { TracedChunk } from '../../catalog/paths.ts';
import type { Arranged } from '../arrange/arrange.ts';
import type { LegOutcome } from '../legs.ts';
import type { SearchPlan } from '../plan.ts';

/** A search whose every stage was kept. */
export interface SearchTrace {
  plan: SearchPlan;
  /** What the legs found, to `depth` ranks. */
  deep: readonly LegOutcome[];
  /** Scores that the legs give the document's chunks, by key, whatever their rank. */
  own: readonly { leg: Leg; hits: ReadonlyMap<number, number> }[];
  arranged: Arranged;
  depth: number;
}

/** The way of a chunk through a search. */
export function pathOf(chunk: TracedChunk, { plan, deep, own, arranged, depth }: SearchTrace): ChunkPath {
  const { key } = chunk;
  const { limit } = plan.search;
  const legs = deep
    .filter(({ leg, degradation }) => leg !== Leg.WEB && degradation === undefined)
    .map(({ leg, hits }) => {
      const index = hits.findIndex((hit) => hit.key === key);
      const score = hits[index]?.score ?? own.find((one) => one.leg === leg)?.hits.get(key) ?? 0;
      return { leg, rank: index + 1, score, depth, neededScore: hits.slice(0, limit).at(-1)?.score ?? 0 };
    });
  const fusedIndex = arranged.fused.findIndex((hit) => hit.key === key);
  const rankedIndex = arranged.ranked.findIndex(({ record }) => record.key === key);
  const reranked = arranged.ranked[rankedIndex]?.reranked;
  const rank = arranged.chosen.findIndex(({ record }) => record.key === key) + 1;
  const duplicateOf = arranged.duplicates.get(key) ?? '';
  const words = new Set(tokenize([chunk.title, ...chunk.headingPath, chunk.text].join('\n'), { mode: 'index' }));
  const asked = plan.search.words.map(({ word }) => word);
  return create(ChunkPathSchema, {
    chunkId: chunk.chunkId,
    ordinal: chunk.ordinal,
    verdict: verdictOf(rank, duplicateOf, fusedIndex, legs),
    legs,
    fusedRank: fusedIndex + 1,
    fusedScore: arranged.fused[fusedIndex]?.score ?? 0,
    duplicateOf,
    ...(reranked !== undefined && {
      rerankRank: rankedIndex + 1,
      rerankScore: reranked.score,
      rerankSigns: reranked.signs,
    }),
    rank,
    matchedWords: asked.filter((word) => words.has(word)).slice(0, maxWords),
    missingWords: asked.filter((word) => !words.has(word)).slice(0, maxWords),
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

/** Paths in order of how far they came. */
export function furthestOf(paths: readonly ChunkPath[]): ChunkPath[] {
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

/** The verdict in a sentence. */
export function summaryOf({ verdict, chunks, topK, candidateLimit, version }: ExplainResponse): string {
  const [best] = chunks;
  switch (verdict) {
    case Verdict.NO_ACCESS:
      return 'Its access list lets the caller not see it.';
    case Verdict.DELETED:
      return 'It was deleted, and its last traces are being removed.';
    case Verdict.OTHER_VERSION:
      return `Version ${version}, which is live, does not hold it; others do.`;
    case Verdict.OTHER_CORPUS:
      return 'The search does not include its corpus.';
    case Verdict.FILTERED:
      return "It does not meet the search's filter.";
    case Verdict.NOT_FOUND:
      return 'No leg finds it: it shares no word with the question and is near to it by no vector.';
    case Verdict.BELOW_CANDIDATES:
      return `Each leg gives its ${candidateLimit} best, and it is not among them: ${legsOf(best)}.`;
    case Verdict.DUPLICATE:
      return `It says nearly the same as "${best?.duplicateOf}", which is better placed and stands for it.`;
    case Verdict.BELOW_TOP_K:
      return `It was a candidate (${placesOf(best)}), below the ${topK} that were asked for.`;
    case Verdict.IN_RESULT:
      return `It is number ${best?.rank} of the result (${placesOf(best)}).`;
    default:
      return 'The live version does not hold it.';
  }
}

function legsOf(path: ChunkPath | undefined): string {
  const places = (path?.legs ?? []).map(({ leg, rank, depth, score }) => {
    const name = enumName(LegSchema, leg).toLowerCase();
    if (rank > 0) return `rank ${rank} of ${name}`;
    return score > 0 ? `below rank ${depth} of ${name}` : `not found by ${name}`;
  });
  return places.join(', ');
}

function placesOf(path: ChunkPath | undefined): string {
  if (path === undefined) return '';
  const fused = path.fusedRank > 0 ? [`${path.fusedRank} after fusion`] : [];
  const reranked = path.rerankRank > 0 ? [`${path.rerankRank} after rerank`] : [];
  return [legsOf(path), ...fused, ...reranked].join(', ');
}
