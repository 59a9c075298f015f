import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { TrialSums } from '../catalog/trials.ts';

/** What is compared of a passage. */
type Ranked = Pick<Passage, 'chunkId' | 'text'>;

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

/** Compares the passages of the live version with those of a version on trial, both best first, and returns the sums of this one search. */
export function compareRankings(live: readonly Ranked[], candidate: readonly Ranked[]): TrialSums {
  const isSame =
    live.length === candidate.length &&
    live.every(({ chunkId, text }, rank) => chunkId === candidate[rank]?.chunkId && text === candidate[rank]?.text);
  const liveIds = new Set(live.map(({ chunkId }) => chunkId));
  const common = candidate.filter(({ chunkId }) => liveIds.has(chunkId)).length;
  const longest = Math.max(live.length, candidate.length);
  return {
    ...noSums,
    compared: 1,
    same: isSame ? 1 : 0,
    overlap: longest === 0 ? 1 : common / longest,
    ndcg: ndcgOf(live, candidate),
    onlyLive: live.length > 0 && candidate.length === 0 ? 1 : 0,
    onlyCandidate: live.length === 0 && candidate.length > 0 ? 1 : 0,
  };
}

/** Returns the nDCG of a ranking if the n passages of `judged` have the gains n, n - 1, …, 1 (Järvelin and Kekäläinen 2002); 0 to 1. */
function ndcgOf(judged: readonly Ranked[], ranking: readonly Ranked[]): number {
  if (judged.length === 0) return ranking.length === 0 ? 1 : 0;
  const gains = new Map(judged.map(({ chunkId }, rank) => [chunkId, judged.length - rank]));
  const dcgOf = (passages: readonly Ranked[]) =>
    passages.reduce((sum, { chunkId }, rank) => sum + (gains.get(chunkId) ?? 0) / Math.log2(rank + 2), 0);
  return dcgOf(ranking) / dcgOf(judged);
}
