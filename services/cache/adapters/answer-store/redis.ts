import { defineAdapter } from '#kit/host/config/adapters.ts';
import { openRedis, openRedisListener, tenantPrefix } from '#kit/storage/redis.ts';
import type { RedisSettings } from '#kit/storage/redis-settings.ts';
import {
  type AnswerStore,
  type AnswerStoreDeps,
  ChangedBytesError,
  type PutOptions,
  type StoredAnswer,
  sizeOf,
} from '../../answers/answer-store.ts';
import { decodeStored, encodeStored } from '../../answers/stored-bytes.ts';
import {
  dropScript,
  invalidateScript,
  putScript,
  reclaimScript,
  stateScript,
  usageScript,
} from '../vendors/redis/answer-scripts.ts';
import { joinBus } from '../vendors/redis/bus.ts';
import { createInvalidations, type TenantState } from '../vendors/redis/invalidations.ts';
import { cacheRedisSettings, commandTimeoutMs } from '../vendors/redis/settings.ts';

/** Labels of invalidations that are remembered one by one; beyond it, all older answers of the tenant are invalid. */
const mostLabels = 10_000;
/** Answers that one step removes: a script must not block the server for long. */
const reclaimBatch = 500;
const mostReclaims = 20_000;

/**
 * Answers in Redis, or a server with its protocol and Lua: all replicas share them and receive each other's invalidations. The server
 * bounds them (`maxmemory`): under any policy of eviction, no invalidated answer is found again.
 */
export const adapter = defineAdapter({
  settings: cacheRedisSettings,
  create: (settings, deps: AnswerStoreDeps) => createRedisStore(settings, deps),
});

/** The scripts as ioredis gives them. */
interface Scripts {
  answersState(keyCount: 1, prefix: string, era: string): Promise<[state: string, counts: string[]]>;
  answersPut(keyCount: 1, prefix: string, ...args: (string | number | Buffer)[]): Promise<number>;
  answersDrop(keyCount: 1, prefix: string, key: string): Promise<number>;
  answersInvalidate(
    keyCount: 1,
    prefix: string,
    ...args: (string | number)[]
  ): Promise<[state: string, replicaCount: number]>;
  answersReclaim(keyCount: 1, prefix: string, label: string, most: number): Promise<[more: number, keys: string[]]>;
  answersUsage(keyCount: 1, prefix: string, now: number): Promise<[entries: number, bytes: number]>;
}

async function createRedisStore(
  settings: RedisSettings,
  { clock, random, log, listener }: AnswerStoreDeps,
): Promise<AnswerStore> {
  const redis = await openRedis(settings, { name: 'answer store', timeoutMs: commandTimeoutMs, log });
  for (const [name, lua] of Object.entries({
    answersState: stateScript,
    answersPut: putScript,
    answersDrop: dropScript,
    answersInvalidate: invalidateScript,
    answersReclaim: reclaimScript,
    answersUsage: usageScript,
  })) {
    redis.defineCommand(name, { lua });
  }
  const scripts = redis as unknown as Scripts;
  const prefixes = new Map<string, string>();
  const prefixOf = (tenant: string): string => {
    let prefix = prefixes.get(tenant);
    if (prefix === undefined) {
      prefix = tenantPrefix(settings.key_prefix, tenant);
      prefixes.set(tenant, prefix);
    }
    return prefix;
  };
  const newEra = () => random().toString(36).slice(2) + clock().toString(36);
  const invalidations = createInvalidations(listener, (tenant) => scripts.answersState(1, prefixOf(tenant), newEra()));

  let isClosed = false;
  const onAttached = async (isAttached: boolean) => {
    if (isClosed) return;
    // Messages were missed meanwhile.
    if (isAttached)
      await invalidations
        .refreshAll()
        .catch((error: unknown) => log.debug({ event: 'cache_redis_failed', err: error }, 'redis failed'));
    listener.attached(isAttached);
  };
  const hearing = await openRedisListener(
    settings,
    { name: 'answer store', log },
    (isAttached) => void onAttached(isAttached),
  );
  const bus = await joinBus(hearing, {
    keyPrefix: settings.key_prefix,
    origin: newEra(),
    publish: (channel, message) => redis.publish(channel, message),
    onMessage: ({ tenant, target }) => listener.invalidated(tenant, target),
    log,
  });

  const removeOne = async (tenant: string, key: string) => (await scripts.answersDrop(1, prefixOf(tenant), key)) === 1;

  /** Returns the answer if it is valid; an invalid one is removed in the background. */
  const valid = (tenant: string, key: string, bytes: Buffer, state: TenantState): StoredAnswer | undefined => {
    const { answer, epoch } = decodeStored(tenant, key, bytes);
    if (answer.expiresAtMs > clock() && !invalidations.concern(state, epoch, answer)) return answer;
    removeOne(tenant, key).catch((error: unknown) =>
      log.debug({ event: 'cache_redis_failed', err: error }, 'redis failed'),
    );
    return undefined;
  };

  return {
    async get(tenant, key) {
      const prefix = prefixOf(tenant);
      // One command for both: an answer is never read without the state of its tenant's invalidations.
      const [bytes, state] = await redis.mgetBuffer(`${prefix}:a:${key}`, `${prefix}:v`);
      const known = invalidations.known(tenant, state) ?? (await invalidations.refresh(tenant));
      return bytes ? valid(tenant, key, bytes, known) : undefined;
    },
    async put(answer: StoredAnswer, { epoch, replaces = false }: PutOptions = {}) {
      const { tenant, key, labels, storedAtMs, expiresAtMs } = answer;
      const begunIn = epoch ?? (await invalidations.refresh(tenant)).epoch;
      const leftMs = expiresAtMs - clock();
      // It began while Redis was away: what was invalidated since is not known.
      if (begunIn === '' || leftMs <= 0) return;
      const { bytes, savedBytes } = encodeStored(answer, begunIn);
      const numbers = [Math.ceil(leftMs), expiresAtMs, clock(), sizeOf(answer) - savedBytes, storedAtMs];
      const args = [key, bytes, ...numbers, JSON.stringify(labels), begunIn];
      const kept = await scripts.answersPut(1, prefixOf(tenant), ...args);
      if (!replaces || kept === 0) return;
      await bus.notify(tenant, { kind: 'entry', key }, (message) => redis.publish(bus.channel, message));
    },
    async invalidate(tenant, target) {
      if (target.kind === 'entry') return (await removeOne(tenant, target.key)) ? [target.key] : [];
      const isBefore = target.kind === 'before';
      const label = isBefore ? '<' : target.kind === 'all' ? '*' : target.label;
      await bus.notify(tenant, target, async (message) => {
        try {
          const times = isBefore ? [target.storedBeforeMs] : [];
          const args = [label, newEra(), mostLabels, bus.channel, message, ...times];
          const [, replicaCount] = await scripts.answersInvalidate(1, prefixOf(tenant), ...args);
          return replicaCount;
        } catch (error) {
          if (!isFull(error)) throw error;
          // A full server still deletes: without the state, no answer of the tenant is valid.
          await redis.del(`${prefixOf(tenant)}:v`);
          return redis.publish(bus.channel, message);
        }
      });
      await invalidations
        .refresh(tenant)
        .catch((error: unknown) => log.debug({ event: 'cache_redis_failed', err: error }, 'redis failed'));
      // From here on none of them is found. The rest frees their space.
      return isBefore
        ? reclaimOlder(redis, prefixOf(tenant), target.storedBeforeMs, (key) => removeOne(tenant, key))
        : reclaim(scripts, prefixOf(tenant), label);
    },
    async find(tenant, label, limit) {
      const prefix = prefixOf(tenant);
      const keys = await redis.srandmember(`${prefix}:l:${label}`, limit * 10);
      if (keys.length === 0) return [];
      const [state, ...values] = await redis.mgetBuffer(`${prefix}:v`, ...keys.map((key) => `${prefix}:a:${key}`));
      const known = invalidations.known(tenant, state) ?? (await invalidations.refresh(tenant));
      const found: StoredAnswer[] = [];
      for (const [index, bytes] of values.entries()) {
        const answer = bytes && readable(() => valid(tenant, keys[index] as string, bytes, known));
        if (answer && found.length < limit) found.push(answer);
      }
      return found;
    },
    async usage(tenant) {
      const [entryCount, sizeBytes] = await scripts.answersUsage(1, prefixOf(tenant), clock());
      return { entryCount, sizeBytes, evictionCount: 0 };
    },
    // Without it answers are found in memory, and generated.
    readiness: { name: 'durable_store', isOptional: true, check: () => redis.ping() },
    async close() {
      isClosed = true;
      hearing.close();
      redis.disconnect();
    },
  };
}

/** Removes answers with a label, or all; returns their keys. */
async function reclaim(scripts: Scripts, prefix: string, label: string): Promise<string[]> {
  const removed: string[] = [];
  for (let round = 0; round < mostReclaims; round++) {
    const [more, keys] = await scripts.answersReclaim(1, prefix, label, reclaimBatch);
    removed.push(...keys);
    if (more === 0) break;
  }
  return removed;
}

/** Removes answers that were stored before, and those of unknown age; returns their keys. */
async function reclaimOlder(
  redis: Awaited<ReturnType<typeof openRedis>>,
  prefix: string,
  storedBeforeMs: number,
  removeOne: (key: string) => Promise<boolean>,
): Promise<string[]> {
  const removed: string[] = [];
  for (let cursor = '0', round = 0; round < mostReclaims; round++) {
    const [next, pairs] = await redis.hscan(`${prefix}:s`, cursor, 'COUNT', reclaimBatch);
    const keys: string[] = [];
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const key = pairs[index] as string;
      if (key !== '' && storedAtOf(pairs[index + 1] as string) < storedBeforeMs) keys.push(key);
    }
    const isRemoved = await Promise.all(keys.map(removeOne));
    removed.push(...keys.filter((_, index) => isRemoved[index]));
    if (next === '0') break;
    cursor = next;
  }
  return removed;
}

/** Returns when an answer was stored, by its row of the index; 0 if it was written by a release that did not note it. */
function storedAtOf(row: string): number {
  const [, , storedAtMs = 0] = JSON.parse(row) as [sizeBytes: number, labels: string[], storedAtMs?: number];
  return storedAtMs;
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ChangedBytesError) return undefined;
    throw error;
  }
}

// https://redis.io/docs/latest/develop/reference/eviction/: under "noeviction", commands that need memory are refused.
function isFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}
