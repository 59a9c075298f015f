import { overlapOf, type Sketch, sketchOf } from '#kit/statistics/near-duplicates.ts';

/**
 * Returns the first `count` by maximal marginal relevance (Carbonell & Goldstein 1998): the next one always has the best relevance less
 * its similarity to those before it. `diversity` is the weight of the similarity, 0 to 1.
 */
export function diversify<T>(ranked: readonly T[], textOf: (one: T) => string, diversity: number, count: number): T[] {
  if (diversity <= 0 || ranked.length <= 1) return ranked.slice(0, count);
  const open = ranked.map((one, index) => ({
    one,
    // By rank, because the scores of rerankers have different scales.
    relevance: 1 - index / ranked.length,
    sketch: sketchOf(textOf(one)),
    similarity: 0,
  }));
  const chosen: T[] = [];
  while (chosen.length < count && open.length > 0) {
    const value = ({ relevance, similarity }: (typeof open)[number]) =>
      (1 - diversity) * relevance - diversity * similarity;
    let best = 0;
    for (let index = 1; index < open.length; index++) {
      if (value(open[index] as (typeof open)[number]) > value(open[best] as (typeof open)[number])) best = index;
    }
    const [next] = open.splice(best, 1) as [(typeof open)[number]];
    chosen.push(next.one);
    for (const other of open)
      other.similarity = Math.max(other.similarity, overlapOf(next.sketch as Sketch, other.sketch));
  }
  return chosen;
}
