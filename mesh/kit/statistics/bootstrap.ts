import { setImmediate } from 'node:timers/promises';

/** A mean with its 95 % interval. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/** Samples drawn with replacement, of as many questions as there are. */
const resampleCount = 1000;
/** Questions drawn before others get a turn: a millisecond's work. */
const drawsAtOnce = 50_000;

/**
 * Means of several metrics over the same questions, each with its 95 % percentile bootstrap interval (Efron 1979).
 * `columns[metric][question]`. `random` gives numbers from 0 up to 1; a seeded one makes the intervals repeatable. Gives the
 * event loop a turn between parts of the work. Without questions: zeros.
 */
export async function bootstrapIntervals(columns: readonly Float64Array[], random: () => number): Promise<Interval[]> {
  const questionCount = columns[0]?.length ?? 0;
  if (questionCount === 0) return columns.map(() => ({ mean: 0, low: 0, high: 0 }));
  const means = columns.map(() => new Float64Array(resampleCount));
  // One sample of questions serves every metric.
  const sample = new Uint32Array(questionCount);
  let draws = 0;
  for (let resample = 0; resample < resampleCount; resample++) {
    for (let drawn = 0; drawn < questionCount; drawn++) sample[drawn] = Math.floor(random() * questionCount);
    for (const [metric, column] of columns.entries()) {
      let sum = 0;
      for (const question of sample) sum += column[question] as number;
      (means[metric] as Float64Array)[resample] = sum / questionCount;
    }
    draws += questionCount;
    if (draws >= drawsAtOnce) {
      draws = 0;
      await setImmediate();
    }
  }
  return columns.map((column, metric) => {
    const sorted = (means[metric] as Float64Array).sort();
    return {
      mean: column.reduce((sum, value) => sum + value, 0) / questionCount,
      low: sorted[resampleCount * 0.025] as number,
      high: sorted[resampleCount * 0.975 - 1] as number,
    };
  });
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
