/** What a plan is made for. All values are inputs. */
export interface Workload {
  /** Most requests a second, over all regions together. */
  peakPerSecond: number;
  /** Requests a day, over all regions together. */
  perDay: number;
  /** Share of requests that the cache answers, 0 to 1. */
  hitRate: number;
  regionCount: number;
  /** Whether the other regions must carry the peak when one is lost. */
  survivesRegion: boolean;
  /** Time to the first text that must be kept, in milliseconds, for 99 of 100 requests. */
  firstTextMs: number;
  /** Share of a replica's CPU that a plan uses at the peak, 0 to 1. */
  targetUtilization: number;
  /** CPU cores of a replica. Its main thread is one; search and SQLite have threads of their own. */
  coresPerReplica: number;
  provider: Provider;
}

/** The model that writes answers, as its callers see it. */
export interface Provider {
  /** Median time to its first token, in milliseconds. */
  firstTokenMs: number;
  /** Spread of that time: standard deviation of its natural logarithm. */
  spread: number;
  tokensPerSecond: number;
  promptTokens: number;
  completionTokens: number;
  /** Completions that all its instances together run concurrently, each region its share. */
  maxConcurrent: number;
  /** Price of a million tokens. */
  promptPrice: number;
  completionPrice: number;
}

/** Seconds of a day. */
export const daySeconds = 86_400;

/** Times of the two peaks of a day, in seconds: noon and evening. */
const peaks = [
  { at: 11.5 * 3600, width: 1.6 * 3600, height: 0.8 },
  { at: 20.5 * 3600, width: 1.8 * 3600, height: 1 },
];

/** Second of the day with the most requests. */
export const peakSecond = 20.5 * 3600;

/** Share of the peak at night. */
const nightShare = 0.01;

/**
 * Returns the requests a second for each second of a day: two humps, made as narrow as a day with `perDay`
 * requests and that peak requires. Throws RangeError if no day has both.
 */
export function dayCurve({ peakPerSecond, perDay }: Pick<Workload, 'peakPerSecond' | 'perDay'>): Float64Array {
  const shape = Float64Array.from({ length: daySeconds }, (_, second) => shapeAt(second));
  const curveOf = (power: number) =>
    shape.map((height) => peakPerSecond * (nightShare + (1 - nightShare) * height ** power));
  const totalOf = (power: number) => curveOf(power).reduce((sum, rate) => sum + rate, 0);
  let [low, high] = [1e-3, 200];
  if (totalOf(low) < perDay || totalOf(high) > perDay) {
    const [least, most] = [totalOf(high), totalOf(low)].map((total) => Math.round(total).toLocaleString('en'));
    throw new RangeError(`no day with a peak of ${peakPerSecond}/s has ${perDay} requests: it has ${least} to ${most}`);
  }
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (totalOf(middle) > perDay) low = middle;
    else high = middle;
  }
  return curveOf((low + high) / 2);
}

function shapeAt(second: number): number {
  let height = 0;
  for (const { at, width, height: most } of peaks) {
    // A day is a circle.
    const apart = Math.min(Math.abs(second - at), daySeconds - Math.abs(second - at));
    height = Math.max(height, most * Math.exp(-((apart / width) ** 2) / 2));
  }
  return height;
}
