/** The best of many scored rows. */
export interface TopHits {
  /** Positions of the rows, best first; of equal scores the lower position first. */
  positions: Uint32Array;
  scores: Float64Array;
}

type Scores = Float32Array | Float64Array;

/**
 * Returns the best `limit` rows that are `allowed`. Keeps them in a heap whose root is the worst one, so that most rows cost one
 * comparison. Rows with a score of `floor` or less are not hits.
 */
export function topHits(
  scores: Scores,
  count: number,
  limit: number,
  floor: number,
  allowed: (position: number) => boolean,
): TopHits {
  const heap = new Uint32Array(limit);
  let size = 0;
  let worst = floor;
  for (let position = 0; position < count; position++) {
    // Of equal scores, a full heap keeps the row that came first.
    if (!((scores[position] as number) > worst) || !allowed(position)) continue;
    if (size < limit) {
      heap[size] = position;
      siftUp(scores, heap, size++);
    } else {
      heap[0] = position;
      siftDown(scores, heap, size);
    }
    if (size === limit) worst = scores[heap[0] as number] as number;
  }
  const positions = heap.slice(0, size).sort((a, b) => (isWorse(scores, a, b) ? 1 : -1));
  return { positions, scores: Float64Array.from(positions, (position) => scores[position] as number) };
}

// Whether row `a` comes after row `b`.
function isWorse(scores: Scores, a: number, b: number): boolean {
  const difference = (scores[a] as number) - (scores[b] as number);
  return difference < 0 || (difference === 0 && a > b);
}

// Moves the row at `child` towards the root until its parent is worse.
function siftUp(scores: Scores, heap: Uint32Array, child: number): void {
  const moved = heap[child] as number;
  let at = child;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const other = heap[parent] as number;
    if (!isWorse(scores, moved, other)) break;
    heap[at] = other;
    at = parent;
  }
  heap[at] = moved;
}

// Moves the row at the root towards the leaves until both of its children are better.
function siftDown(scores: Scores, heap: Uint32Array, size: number): void {
  const moved = heap[0] as number;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && isWorse(scores, heap[child + 1] as number, heap[child] as number)) child++;
    const other = heap[child] as number;
    if (!isWorse(scores, other, moved)) break;
    heap[at] = other;
    at = child;
  }
  heap[at] = moved;
}
