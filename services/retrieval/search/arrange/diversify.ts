import { overlapOf, type Sketch, sketchOf } from './near-duplicates.ts';

/**
 * Maximal marginal relevance (Carbonell & Goldstein 1998): the next one is always that whose place, less its likeness to what was
 * chosen before, is best. `diversity`: weight of likeness, 0 to 1. Gives the first `count`.
 */
export function diversify<T>(ranked: readonly T[], textOf: (one: T) => string, diversity: number, count: number): T[] {
  if (diversity <= 0 || ranked.length <= 1) return ranked.slice(0, count);
  const open = ranked.map((one, index) => ({
    one,
    // By place, since scores of rerankers have all scales.
    relevance: 1 - index / ranked.length,
    sketch: sketchOf(textOf(one)),
    likeness: 0,
  }));
  const chosen: T[] = [];
  while (chosen.length < count && open.length > 0) {
    const value = ({ relevance, likeness }: (typeof open)[number]) =>
      (1 - diversity) * relevance - diversity * likeness;
    let best = 0;
    for (let index = 1; index < open.length; index++) {
      if (value(open[index] as (typeof open)[number]) > value(open[best] as (typeof open)[number])) best = index;
    }
    const [next] = open.splice(best, 1) as [(typeof open)[number]];
    chosen.push(next.one);
    for (const other of open) other.likeness = Math.max(other.likeness, overlapOf(next.sketch as Sketch, other.sketch));
  }
  return chosen;
}
