import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Bucket, type Limiter, type LimiterDeps, levelAt } from '../../admission/limiter.ts';

interface Stored {
  /** Thousandths of a token, so that milliseconds times tokens a second is a whole number and nothing is ever rounded. */
  milliTokens: number;
  atMs: number;
}

/** Buckets in the memory of this process: each replica of the edge counts for itself. */
export const adapter = defineAdapter({
  settings: {
    max_buckets: z
      .int()
      .min(2)
      .max(10_000_000)
      .describe('Buckets that are kept; the one that was not used for longest goes first')
      .default(100_000),
  },
  create({ max_buckets }, { clock }: LimiterDeps): Limiter {
    const levels = new LRUCache<string, Stored>({ max: max_buckets });
    const levelOf = ({ key, perSecond, burst }: Bucket, nowMs: number): Stored => {
      const level = levels.get(key);
      if (level === undefined) {
        const full = { milliTokens: burst * 1000, atMs: nowMs };
        levels.set(key, full);
        return full;
      }
      // A clock that was set back must not take tokens away.
      const passedMs = Math.max(0, nowMs - level.atMs);
      level.milliTokens = Math.min(burst * 1000, level.milliTokens + passedMs * perSecond);
      level.atMs = nowMs;
      return level;
    };
    return {
      async take(buckets) {
        const nowMs = clock();
        const taken = buckets.map((bucket) => levelOf(bucket, nowMs));
        for (const [index, level] of taken.entries()) {
          const { key, perSecond } = buckets[index] as Bucket;
          if (level.milliTokens < 1000) {
            return { admitted: false, key, retryAfterMs: Math.ceil((1000 - level.milliTokens) / perSecond) };
          }
        }
        const levels = taken.map((level, index) => {
          level.milliTokens -= 1000;
          const { perSecond, burst } = buckets[index] as Bucket;
          return levelAt(level.milliTokens, perSecond, burst);
        });
        return { admitted: true, levels };
      },
      async close() {
        levels.clear();
      },
    };
  },
});
