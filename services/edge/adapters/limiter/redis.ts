import { Redis } from 'ioredis';
import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Limiter, LimiterDeps, Verdict } from '../../admission/limiter.ts';
import { adapter as memory } from './memory.ts';

/** Time for the first connection, in milliseconds; the edge starts without one. */
const connectMs = 2000;

/**
 * KEYS: the buckets. ARGV: now in ms; then of each bucket tokens a second and burst. A bucket is "thousandths of a token|time in ms";
 * one that is full vanishes. Gives [] where all have a token, which is then taken, or [index of the empty one, ms until it has one].
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
  if level < 1000 then return {index - 1, math.ceil((1000 - level) / perSecond)} end
  levels[index] = {level - 1000, at, math.ceil((burst * 1000 - level + 1000) / perSecond) + at - now}
end
for index, key in ipairs(KEYS) do
  local level, at, fullMs = unpack(levels[index])
  redis.call('SET', key, string.format('%.0f|%.0f', level, at), 'PX', string.format('%.0f', fullMs + 1000))
end
return {}
`;

/**
 * Buckets in Redis, or what speaks its protocol and runs Lua: all replicas of the edge count together. While Redis is slow or away,
 * each counts for itself, by full buckets at first, and nobody waits for it.
 */
export const adapter = defineAdapter({
  settings: {
    url: secret().describe('"redis://user:password@host:6379/0", or "rediss://" for TLS'),
    key_prefix: z.string().describe('First part of every key').default('ragmesh:edge:'),
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
  async create({ url, key_prefix: prefix, timeout_ms, retry_ms, max_buckets }, deps: LimiterDeps): Promise<Limiter> {
    const redis = new Redis(url, {
      lazyConnect: true,
      // A command that cannot be sent now fails now, and none is ever sent twice.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: connectMs,
      commandTimeout: timeout_ms,
      // A connection that hangs is replaced.
      socketTimeout: Math.max(1000, timeout_ms * 5),
      retryStrategy: (attempt) => Math.min(2000, 50 * 2 ** Math.min(attempt, 10)),
    });
    let askAgainAt = 0;
    const fail = (error?: unknown) => {
      if (askAgainAt === 0) deps.log.error({ err: error }, 'Redis is away: this replica counts requests by itself');
      askAgainAt = performance.now() + retry_ms;
    };
    redis.on('error', fail);
    redis.defineCommand('takeTokens', { lua: takeScript });
    await redis.connect().catch(fail);
    const script = redis as unknown as { takeTokens(keys: number, ...parts: (string | number)[]): Promise<number[]> };
    const local = await memory.create({ max_buckets }, deps);
    return {
      async take(buckets, signal): Promise<Verdict> {
        if (performance.now() < askAgainAt) return local.take(buckets, signal);
        // One request finds out whether Redis is back; the others do not wait for what it finds.
        if (askAgainAt > 0) fail();
        try {
          const rates = buckets.flatMap(({ perSecond, burst }) => [perSecond, burst]);
          const keys = buckets.map(({ key }) => prefix + key);
          const [empty, retryAfterMs = 0] = await script.takeTokens(keys.length, ...keys, deps.clock(), ...rates);
          if (askAgainAt > 0) deps.log.info({}, 'Redis is back: all replicas count together');
          askAgainAt = 0;
          const bucket = empty === undefined ? undefined : buckets[empty];
          return bucket === undefined ? { admitted: true } : { admitted: false, key: bucket.key, retryAfterMs };
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
