import { z } from 'zod';
import { within } from '#kit/base/within.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { openRedis } from '#kit/storage/redis.ts';
import { redisSettings } from '#kit/storage/redis-settings.ts';
import { type Bucket, type Limiter, type LimiterDeps, levelAt, type Verdict } from '../../admission/limiter.ts';
import { adapter as memory } from './memory.ts';

/**
 * KEYS: the buckets. ARGV: now in ms; then of each bucket tokens a second and burst. A bucket is "thousandths of a token|time in ms";
 * one that is full vanishes. Returns [1, level of each] if all have a token, which is then taken, or [0, index of the empty one, ms until
 * it has one].
 */
const takeScript = `
local now = tonumber(ARGV[1])
local levels = {}
for index, key in ipairs(KEYS) do
  local perSecond, burst = tonumber(ARGV[index * 2]), tonumber(ARGV[index * 2 + 1])
  local level, at = burst * 1000, now
  local kept, keptAt = string.match(redis.call('GET', key) or '', '^(%d+)|(%d+)$')
  if kept then
    -- The clocks of replicas differ a little: time never goes back, and is never given twice.
    at = math.max(now, tonumber(keptAt))
    level = math.min(burst * 1000, tonumber(kept) + (at - tonumber(keptAt)) * perSecond)
  end
  if level < 1000 then return {0, index - 1, math.ceil((1000 - level) / perSecond)} end
  levels[index] = {level - 1000, at, math.ceil((burst * 1000 - level + 1000) / perSecond) + at - now}
end
local left = {1}
for index, key in ipairs(KEYS) do
  local level, at, fullMs = unpack(levels[index])
  left[index + 1] = level
  redis.call('SET', key, string.format('%.0f|%.0f', level, at), 'PX', string.format('%.0f', fullMs + 1000))
end
return left
`;

/**
 * Buckets in Redis, or what speaks its protocol and runs Lua: all replicas of the edge count together. While Redis is slow or away,
 * each counts for itself, by full buckets at first, and no caller waits for it.
 */
export const adapter = defineAdapter({
  settings: {
    ...redisSettings('ragmesh:edge:'),
    timeout_ms: z.int().min(1).max(10_000).describe('Longest wait for Redis, in milliseconds').default(50),
    retry_ms: z
      .int()
      .min(10)
      .max(60_000)
      .describe('Time until Redis is asked again after a failure, in milliseconds')
      .default(1000),
    max_buckets: z
      .int()
      .min(2)
      .max(10_000_000)
      .describe('Buckets that this process keeps for when Redis is away')
      .default(100_000),
  },
  async create(settings, deps: LimiterDeps): Promise<Limiter> {
    const { key_prefix: prefix, timeout_ms: timeoutMs, retry_ms: retryMs, max_buckets } = settings;
    const redis = await openRedis(settings, { name: 'limiter', timeoutMs, log: deps.log });
    let askAgainAt = 0;
    const fail = (error?: unknown) => {
      if (askAgainAt === 0) deps.log.error({ err: error }, 'Redis is away: this replica counts requests by itself');
      askAgainAt = performance.now() + retryMs;
    };
    redis.on('error', fail);
    redis.defineCommand('takeTokens', { lua: takeScript });
    const script = redis as unknown as { takeTokens(keys: number, ...parts: (string | number)[]): Promise<number[]> };
    const local = await memory.create({ max_buckets }, deps);
    return {
      // Without Redis each replica counts for itself.
      readiness: { name: 'limiter', isOptional: true, check: () => redis.ping() },
      async take(buckets, signal): Promise<Verdict> {
        if (performance.now() < askAgainAt) return local.take(buckets, signal);
        // One request finds out whether Redis is back; the others do not wait for what it finds.
        if (askAgainAt > 0) fail();
        try {
          const rates = buckets.flatMap(({ perSecond, burst }) => [perSecond, burst]);
          const keys = keysOf(prefix, buckets);
          const [admitted, ...parts] = await within(
            () => script.takeTokens(keys.length, ...keys, deps.clock(), ...rates),
            { timeoutMs },
          );
          if (askAgainAt > 0) deps.log.info({}, 'Redis is back: all replicas count together');
          askAgainAt = 0;
          if (admitted === 0) {
            const [empty = 0, retryAfterMs = 0] = parts;
            return { admitted: false, key: buckets[empty]?.key ?? '', retryAfterMs };
          }
          const levels = buckets.map(({ perSecond, burst }, index) => levelAt(parts[index] ?? 0, perSecond, burst));
          return { admitted: true, levels };
        } catch (error) {
          fail(error);
          return local.take(buckets, signal);
        }
      },
      async close() {
        redis.disconnect();
        await local.close();
      },
    };
  },
});

/** The keys of buckets. The braces keep those of one group in one slot of a cluster, in which one script can use them all. */
function keysOf(prefix: string, buckets: readonly Bucket[]): string[] {
  const group = `${prefix}{${encodeURIComponent(buckets[0]?.key ?? '')}}`;
  return buckets.map(({ key }) => `${group}:${key}`);
}
