/** Counts of times, in buckets that are 2 % apart. */
export interface Histogram {
  /** Adds `weight` requests that took `ms`. */
  add(ms: number, weight: number): void;
  /** Adds all of another one. */
  merge(other: Histogram): void;
  readonly total: number;
  /** Returns the time that `share` of the requests stayed below, within 2 %; NaN if there is none. */
  percentile(share: number): number;
  readonly counts: Float64Array;
}

const step = Math.log(1.02);
/** Up to e^14.6 ms, half an hour. */
const bucketCount = 730;

/** Creates an empty histogram. */
export function createHistogram(): Histogram {
  const counts = new Float64Array(bucketCount);
  let total = 0;
  return {
    counts,
    get total() {
      return total;
    },
    add(ms, weight) {
      const bucket = Math.min(bucketCount - 1, Math.floor(Math.log(Math.max(1, ms)) / step));
      counts[bucket] = (counts[bucket] as number) + weight;
      total += weight;
    },
    merge(other) {
      for (let at = 0; at < bucketCount; at++) counts[at] = (counts[at] as number) + (other.counts[at] as number);
      total += other.total;
    },
    percentile(share) {
      if (total === 0) return Number.NaN;
      let seen = 0;
      for (let at = 0; at < bucketCount; at++) {
        seen += counts[at] as number;
        if (seen >= total * share) return Math.exp((at + 0.5) * step);
      }
      return Math.exp(bucketCount * step);
    },
  };
}
