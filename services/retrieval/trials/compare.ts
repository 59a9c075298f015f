import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { TrialSums } from '../catalog/trials.ts';

/** What is compared of a passage. */
type Ranked = Pick<Passage, 'corpus' | 'documentId' | 'text'>;

/** Sums of no search. */
export const noSums: TrialSums = {
  ...{ compared: 0, same: 0, overlap: 0, ndcg: 0 },
  ...{ onlyLive: 0, onlyCandidate: 0, failed: 0, dropped: 0 },
};

/** Adds sums. */
export function addSums(a: TrialSums, b: Partial<TrialSums>): TrialSums {
  const added = { ...a };
  for (const [name, value] of Object.entries(b) as [keyof TrialSums, number][]) added[name] += value;
  return added;
}

/**
 * Compares the passages of the live version with those of a version on trial, both best first, and returns the sums of this one search. Passages
 * are the same if they are the same text of the same document: a document that is indexed again has other chunk ids.
 */
export function compareRankings(live: readonly Ranked[], candidate: readonly Ranked[]): TrialSums {
  const liveKeys = keysOf(live);
  const candidateKeys = keysOf(candidate);
  const known = new Set(liveKeys);
  const common = candidateKeys.filter((key) => known.has(key)).length;
  const longest = Math.max(liveKeys.length, candidateKeys.length);
  const isSame = liveKeys.length === candidateKeys.length && liveKeys.every((key, rank) => key === candidateKeys[rank]);
  return {
    ...noSums,
    compared: 1,
    same: isSame ? 1 : 0,
    overlap: longest === 0 ? 1 : common / longest,
    ndcg: ndcgOf(liveKeys, candidateKeys),
    onlyLive: live.length > 0 && candidate.length === 0 ? 1 : 0,
    onlyCandidate: live.length === 0 && candidate.length > 0 ? 1 : 0,
  };
}

/** Returns what passages are compared by, in their order; a text that a document has twice counts once. */
function keysOf(passages: readonly Ranked[]): string[] {
  return [...new Set(passages.map(({ corpus, documentId, text }) => JSON.stringify([corpus, documentId, text])))];
}

/** Returns the nDCG of a ranking if the n passages of `judged` have the gains n, n - 1, …, 1 (Järvelin and Kekäläinen 2002); 0 to 1. */
function ndcgOf(judged: readonly string[], ranking: readonly string[]): number {
  if (judged.length === 0) return ranking.length === 0 ? 1 : 0;
  const gains = new Map(judged.map((key, rank) => [key, judged.length - rank]));
  const dcgOf = (keys: readonly string[]) =>
    keys.reduce((sum, key, rank) => sum + (gains.get(key) ?? 0) / Math.log2(rank + 2), 0);
  return dcgOf(ranking) / dcgOf(judged);
}
