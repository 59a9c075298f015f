import type { Client } from '@connectrpc/connect';
import type { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type Measure, outcomeOf } from './measure.ts';

/** Measures whether the semantic layer of the cache takes two questions for the same. */
export const measureCache = (
  cache: Pick<Client<typeof CacheService>, 'matchQuestion'>,
  timeoutMs: number,
): Measure => ({
  timeoutMs,
  isJudged: ({ pair }) => pair !== undefined,
  async ask({ text, pair }, _, options) {
    const { other = '', isSame = false } = pair ?? {};
    const { index } = await cache.matchQuestion({ question: text, candidates: [other] }, options);
    const isMatched = index !== undefined;
    return outcomeOf(Number(isMatched === isSame), Number(isSame || !isMatched));
  },
});
