/** The best of many scored rows. */
export interface TopHits {
  /** Positions of the rows, best first; the lower position first where scores are equal. */
  positions: Uint32Array;
  scores: Float64Array;
}

/**
 * The `limit` best rows of those that are `allowed`, by a heap whose root is the worst one kept: most rows are one comparison.
 * Rows with a score of `floor` or less are no hits.
 */
export function topHits(
  scores: Float32Array | Float64Array,
  count: number,
  limit: number,
  floor: number,
  allowed: (position: number) => boolean,
): TopHits {
  const heap = new Uint32Array(limit);
  let size = 0;
  let worst = floor;
  // Whether the row at `a` comes after the one at `b`.
  const isWorse = (a: number, b: number) => {
    const difference = (scores[a] as number) - (scores[b] as number);
    return difference < 0 || (difference === 0 && a > b);
  };
  const swap = (a: number, b: number) => {
    const kept = heap[a] as number;
    heap[a] = heap[b] as number;
    heap[b] = kept;
  };
  for (let position = 0; position < count; position++) {
    const score = scores[position] as number;
    // A full heap keeps the row that came first.
    if (!(score > worst) || !allowed(position)) continue;
    if (size < limit) {
      let child = size++;
      heap[child] = position;
      while (child > 0) {
        const parent = (child - 1) >> 1;
        if (!isWorse(heap[child] as number, heap[parent] as number)) break;
        swap(child, parent);
        child = parent;
      }
    } else {
      heap[0] = position;
      for (let parent = 0; ; ) {
        let least = parent;
        for (const child of [2 * parent + 1, 2 * parent + 2]) {
          if (child < size && isWorse(heap[child] as number, heap[least] as number)) least = child;
        }
        if (least === parent) break;
        swap(parent, least);
        parent = least;
      }
    }
    if (size === limit) worst = scores[heap[0] as number] as number;
  }
  const positions = heap.slice(0, size).sort((a, b) => (isWorse(a, b) ? 1 : -1));
  return { positions, scores: Float64Array.from(positions, (position) => scores[position] as number) };
}
