import type { Logger } from '#kit/base/log.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';

/** A token bucket: it fills with `perSecond` tokens a second up to `burst`, and a request takes one. */
export interface Bucket {
  key: string;
  perSecond: number;
  burst: number;
}

/** A bucket after a token was taken. */
export interface Level {
  /** Whole tokens that are left. */
  remaining: number;
  /** Time until it is full if nothing more is taken, in milliseconds. */
  fullAfterMs: number;
}

/**
 * Whether a request is admitted. If so, the levels of its buckets, in their order; if not, which bucket is empty and when it holds a
 * token again.
 */
export type Verdict =
  | { admitted: true; levels: readonly Level[] }
  | { admitted: false; key: string; retryAfterMs: number };

/** Counts requests against buckets. Memory is bounded: buckets that were not used for long are dropped, which fills them. */
export interface Limiter {
  /** Whether its server answers; absent in a limiter without a server. */
  readonly readiness?: ReadinessCheck;
  /**
   * Takes one token from each bucket, or from none if one of them is empty. Replicas that share the buckets keep those of one call together
   * by the first one, so a bucket must always be taken with the same first bucket.
   */
  take(buckets: readonly Bucket[], signal?: AbortSignal): Promise<Verdict>;
  close(): Promise<void>;
}

/** What an adapter of the limiter is given. */
export interface LimiterDeps {
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  log: Logger;
}

/** Returns the level of a bucket that holds thousandths of a token. */
export function levelAt(milliTokens: number, perSecond: number, burst: number): Level {
  const fullAfterMs = Math.ceil((burst * 1000 - milliTokens) / perSecond);
  return { remaining: Math.floor(milliTokens / 1000), fullAfterMs };
}
