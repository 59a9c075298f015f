import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { openRedis, type RedisConnection, tenantPrefix } from '#kit/storage/redis.ts';
import { redisSettings } from '#kit/storage/redis-settings.ts';
import type { Demand, LimitStore, LimitStoreDeps } from '../../limits/limit-store.ts';
import { createMemoryStore } from '../../limits/memory-store.ts';
import { limitOrder, readScript, reserveScript, settleScript } from '../../limits/redis-scripts.ts';
import { createSharedStore, type RemoteCounters } from '../../limits/shared-store.ts';
import { createCalendar, slotMs } from '../../limits/windows.ts';

/** Reservations that are renewed by one command. */
const renewBatch = 500;

interface Scripts {
  reserveLimits(keyCount: number, ...parts: (string | number)[]): Promise<number[]>;
  readLimits(keyCount: number, ...parts: (string | number)[]): Promise<number[]>;
  settleLimits(keyCount: number, ...parts: (string | number)[]): Promise<number>;
}

/** Counters in Redis, or a server with its protocol and Lua, that all replicas share. Their clocks may differ by about a second. */
export const adapter = defineAdapter({
  settings: {
    ...redisSettings('ragmesh:limits:'),
    timeout_ms: z.int().min(1).max(10_000).describe('Longest wait for Redis, in milliseconds').default(100),
    retry_ms: z
      .int()
      .min(10)
      .max(60_000)
      .describe('Time between a failure of Redis and the next call, in milliseconds')
      .default(1000),
    lease_ms: z
      .int()
      .min(300)
      .max(3_600_000)
      .describe('Time after which the reservations of a dead process end, in milliseconds')
      .default(60_000),
    fail_open: z
      .boolean()
      .describe(
        'Whether requests continue by the counters of their process while Redis is away; otherwise they are refused',
      )
      .default(true),
    max_scopes: z
      .int()
      .min(2)
      .max(10_000_000)
      .describe('Tenants and keys that this process counts, for the time while Redis is down')
      .default(100_000),
  },
  async create(settings, deps: LimitStoreDeps): Promise<LimitStore> {
    const { timeout_ms: timeoutMs, retry_ms: retryMs, lease_ms: leaseMs, fail_open: isFailOpen } = settings;
    const redis = await openRedis(settings, { name: 'limit store', timeoutMs, autoPipelining: true, log: deps.log });
    redis.defineCommand('reserveLimits', { lua: reserveScript });
    redis.defineCommand('readLimits', { lua: readScript });
    redis.defineCommand('settleLimits', { lua: settleScript });
    const remote = createRemoteCounters(redis, settings.key_prefix, deps.clock);
    const local = createMemoryStore(deps, settings.max_scopes);
    const store = createSharedStore(remote, local, { timeoutMs, retryMs, leaseMs, isFailOpen }, deps);
    const readiness = { name: 'limits.store', isOptional: isFailOpen, check: () => redis.ping() };
    return { ...store, readiness };
  },
});

function createRemoteCounters(redis: RedisConnection, prefix: string, clock: () => number): RemoteCounters {
  const scripts = redis as unknown as Scripts;
  const periodsAt = createCalendar();
  const keyOf = (tenant: string, scope: string, part: string) => `${tenantPrefix(prefix, tenant)}:${scope}:${part}`;
  const keysOf = ({ tenant, scopes }: Demand) =>
    scopes.flatMap(({ name }) => ['minute', 'money', 'leases', 'holds'].map((part) => keyOf(tenant, name, part)));
  return {
    async reserve(demand, at, leaseMs, isForced) {
      const { id, scopes, tokens, costMicros } = demand;
      const { day, month, dayEndsAt, monthEndsAt } = periodsAt(at);
      const keys = keysOf(demand);
      const [admitted, ...parts] = await scripts.reserveLimits(
        keys.length,
        ...keys,
        ...[id, at, Math.floor(at / slotMs), clock() + leaseMs, tokens, costMicros],
        ...[day, month, dayEndsAt, monthEndsAt, isForced ? 1 : 0],
        ...scopes.flatMap(({ limits }) => limitOrder.map((name) => limits[name])),
      );
      if (admitted === 1) {
        if (parts.length < 2 * scopes.length) return { admitted: true };
        const minutes = scopes.map((_, index) => ({
          requests: parts[2 * index] ?? 0,
          tokens: parts[2 * index + 1] ?? 0,
        }));
        return { admitted: true, minutes };
      }
      const [scopeIndex = 0, kind = 0, retryMs = 0, remaining = 0] = parts;
      return {
        admitted: false,
        scopeIndex,
        kind: limitOrder[kind] ?? 'maxConcurrent',
        retryAfterMs: retryMs < 0 ? undefined : retryMs,
        remaining,
      };
    },
    async settle(demand, used) {
      const keys = keysOf(demand);
      const { tokens = 0, costMicros = 0 } = used ?? {};
      const slot = Math.floor(clock() / slotMs);
      await scripts.settleLimits(keys.length, ...keys, demand.id, slot, used === undefined ? 0 : 1, tokens, costMicros);
    },
    async read(tenant, scopes) {
      if (scopes.length === 0) return [];
      const { day, month } = periodsAt(clock());
      const keys = scopes.flatMap(({ name }) => ['minute', 'money', 'leases'].map((part) => keyOf(tenant, name, part)));
      const slot = Math.floor(clock() / slotMs);
      const used = await scripts.readLimits(keys.length, ...keys, slot, clock(), day, month);
      return scopes.map((_, index) => {
        const [requests = 0, tokens = 0, dayMicros = 0, monthMicros = 0, running = 0] = used.slice(5 * index);
        return { requests, tokens, dayMicros, monthMicros, running };
      });
    },
    async renew(demands, leaseMs) {
      const idsByKey = new Map<string, string[]>();
      for (const { id, tenant, scopes } of demands) {
        for (const { name } of scopes) {
          const key = keyOf(tenant, name, 'leases');
          const ids = idsByKey.get(key) ?? [];
          ids.push(id);
          idsByKey.set(key, ids);
        }
      }
      const until = clock() + leaseMs;
      const commands: Promise<unknown>[] = [];
      for (const [key, ids] of idsByKey) {
        for (let start = 0; start < ids.length; start += renewBatch) {
          const members = ids.slice(start, start + renewBatch).flatMap((id) => [until, id]);
          commands.push(redis.zadd(key, 'XX', ...members));
        }
      }
      await Promise.all(commands);
    },
    async close() {
      redis.disconnect();
    },
  };
}
