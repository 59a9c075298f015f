/** The best of many scored rows. */
export interface TopHits {
  /** Offers the rows from `start` on, in order; `scores` has one for each. Rows with a score of 0 or less are not hits. */
  add(scores: Float64Array, start: number, count: number): void;
  /** Returns the hits, best first; of equal scores the lower position first. */
  best(): { position: number; score: number }[];
}

/**
 * Keeps the best `limit` rows that are `allowed`. They are in a heap whose root is the worst one, so that most rows cost one comparison.
 */
export function createTopHits(limit: number, allowed: (position: number) => boolean): TopHits {
  const positions = new Uint32Array(limit);
  const kept = new Float64Array(limit);
  let size = 0;
  let worst = 0;

  // Whether a row comes after that at a place of the heap.
  const isWorse = (score: number, position: number, at: number): boolean => {
    const difference = score - (kept[at] as number);
    return difference < 0 || (difference === 0 && position > (positions[at] as number));
  };
  const put = (at: number, position: number, score: number): void => {
    positions[at] = position;
    kept[at] = score;
  };
  const move = (from: number, to: number): void => put(to, positions[from] as number, kept[from] as number);

  // Moves a row from the end of the heap towards the root until its parent is worse.
  const siftUp = (position: number, score: number): void => {
    let at = size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isWorse(score, position, parent)) break;
      move(parent, at);
      at = parent;
    }
    put(at, position, score);
  };
  // Replaces the root by a row, and moves that towards the leaves until both of its children are better.
  const replaceRoot = (position: number, score: number): void => {
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      const right = child + 1;
      if (right < size && isWorse(kept[right] as number, positions[right] as number, child)) child = right;
      if (isWorse(score, position, child)) break;
      move(child, at);
      at = child;
    }
    put(at, position, score);
  };

  return {
    add(scores, start, count) {
      for (let index = 0; index < count; index++) {
        const score = scores[index] as number;
        // Of equal scores, a full heap keeps the row that came first.
        if (!(score > worst) || !allowed(start + index)) continue;
        if (size < limit) siftUp(start + index, score);
        else replaceRoot(start + index, score);
        if (size === limit) worst = kept[0] as number;
      }
    },
    best() {
      const hits = Array.from({ length: size }, (_, at) => ({
        position: positions[at] as number,
        score: kept[at] as number,
      }));
      return hits.sort((a, b) => b.score - a.score || a.position - b.position);
    },
  };
}
