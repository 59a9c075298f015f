/** The rows whose exact score may be one of the best, by bounds of their scores. */
export interface Candidates {
  /** Rows whose upper bound is not above it cannot be one of the best. */
  readonly threshold: number;
  /** Adds a row by the bounds of its score. */
  add(position: number, upper: number, lower: number): void;
  /** Returns the positions of the rows, in the order in which they were added. */
  positions(): number[];
}

/** Rows that are kept at least. If there are more, most of them have equal vectors. */
const leastKept = 4096;

/**
 * Keeps the rows whose upper bound is above the `limit`th best lower bound less `margin`. If there is no room for all, those with the best
 * upper bounds stay; of equal ones those that came first.
 */
export function createCandidates(limit: number, margin: number): Candidates {
  const kept = Math.max(leastKept, 4 * limit);
  let positions: number[] = [];
  let uppers: number[] = [];
  // A heap of the best lower bounds; its root is the worst of them.
  const lowers = new Float64Array(limit).fill(Number.NEGATIVE_INFINITY);
  let floor = Number.NEGATIVE_INFINITY;
  let threshold = Number.NEGATIVE_INFINITY;

  const keep = (isKept: (upper: number) => boolean) => {
    const indexes = uppers.flatMap((upper, index) => (isKept(upper) ? [index] : []));
    positions = indexes.map((index) => positions[index] as number);
    uppers = indexes.map((index) => uppers[index] as number);
  };
  const makeRoom = () => {
    keep((upper) => upper > threshold);
    if (positions.length <= kept) return;
    floor = Float64Array.from(uppers).sort()[uppers.length - kept] as number;
    threshold = floor;
    let equalCount = kept - uppers.filter((upper) => upper > floor).length;
    keep((upper) => upper > floor || (upper === floor && equalCount-- > 0));
  };

  return {
    get threshold() {
      return threshold;
    },
    add(position, upper, lower) {
      if (!(upper > threshold)) return;
      if (lower > (lowers[0] as number)) {
        replaceRoot(lowers, lower);
        threshold = Math.max(floor, (lowers[0] as number) - margin);
      }
      positions.push(position);
      uppers.push(upper);
      if (positions.length === 2 * kept) makeRoom();
    },
    positions() {
      const least = (lowers[0] as number) - margin;
      keep((upper) => upper > least);
      return positions;
    },
  };
}

function replaceRoot(heap: Float64Array, value: number): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
    if (!((heap[child] as number) < value)) break;
    heap[at] = heap[child] as number;
    at = child;
  }
  heap[at] = value;
}
