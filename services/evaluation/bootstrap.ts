/** A mean with its 95 % interval. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/** Resamples that an interval is made of. */
const resamples = 1000;

/**
 * The mean of `values` with its 95 % percentile bootstrap interval (Efron 1979). `random` gives numbers from 0 up to 1; a
 * seeded one makes the interval repeatable. Without values: zeros.
 */
export function bootstrapMean(values: readonly number[], random: () => number): Interval {
  if (values.length === 0) return { mean: 0, low: 0, high: 0 };
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < values.length; drawn++) sum += values[Math.floor(random() * values.length)] as number;
    return sum / values.length;
  }).sort((a, b) => a - b);
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    low: means[Math.floor(resamples * 0.025)] as number,
    high: means[Math.floor(resamples * 0.975)] as number,
  };
}

/** A repeatable source of numbers from 0 up to 1 (mulberry32, by Tommy Ettinger). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
