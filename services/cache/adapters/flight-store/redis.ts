import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { openRedis, openRedisListener, tenantPrefix } from '#kit/storage/redis.ts';
import type { RedisSettings } from '#kit/storage/redis-settings.ts';
import type { FlightLink, LeaseRef } from '../../flights/flight-link.ts';
import type { FlightStore, FlightStoreDeps } from '../../flights/flight-store.ts';
import { createSharedFlights } from '../../flights/shared-flights.ts';
import {
  acquireScript,
  appendScript,
  readScript,
  releaseScript,
  renewScript,
  takeScript,
} from '../vendors/redis/flight-scripts.ts';
import { cacheRedisSettings, commandTimeoutMs } from '../vendors/redis/settings.ts';

/** Time for which the events of a flight stay without a heartbeat, and after its end, in milliseconds. */
const eventsMs = 60_000;
const endedEventsMs = 10_000;
/** Batches that one step reads. */
const readBatch = 200;

/**
 * The running generations of all replicas, in Redis or a server with its protocol and Lua. It needs the server and key prefix of the
 * answer store: then no caller follows a flight that began before an invalidation.
 */
export const adapter = defineAdapter({
  settings: {
    ...cacheRedisSettings,
    lease_ms: z
      .int()
      .min(100)
      .max(60_000)
      .describe('Time without a heartbeat after which a lease is lost, in milliseconds')
      .default(700),
  },
  async create(settings, deps: FlightStoreDeps): Promise<FlightStore> {
    const link = await createRedisLink(settings, settings.lease_ms, deps);
    return createSharedFlights(deps, link, { leaseMs: settings.lease_ms });
  },
});

type Reply = (string | null)[];

/** What a replica needs to know of a lease that it takes over. */
interface Made {
  question: string;
  labels: string[];
  scope: string;
  epoch: string;
  isRefresh: boolean;
}

interface Scripts {
  flightsAcquire(
    keyCount: 1,
    prefix: string,
    ...args: (string | number)[]
  ): Promise<[leaseId: string, begunAt: string]>;
  flightsTake(keyCount: 1, prefix: string, ...args: (string | number)[]): Promise<Reply>;
  flightsRenew(keyCount: 1, prefix: string, ...args: (string | number)[]): Promise<'held' | 'moved' | 'gone' | 'lost'>;
  flightsAppend(keyCount: 1, prefix: string, ...args: (string | number | Uint8Array)[]): Promise<number>;
  flightsRelease(keyCount: 1, prefix: string, ...args: (string | number)[]): Promise<number>;
  flightsReadBuffer(
    keyCount: 1,
    prefix: string,
    ...args: (string | number)[]
  ): Promise<[entries: [id: Buffer, fields: Buffer[]][], isHeld: number]>;
}

async function createRedisLink(settings: RedisSettings, leaseMs: number, deps: FlightStoreDeps): Promise<FlightLink> {
  const { log, newId } = deps;
  const [redis, listener] = await Promise.all([
    openRedis(settings, { name: 'flight store', timeoutMs: commandTimeoutMs, log }),
    openRedisListener(settings, { name: 'flight store', log }, () => {}),
  ]);
  for (const [name, lua] of Object.entries({
    flightsAcquire: acquireScript,
    flightsTake: takeScript,
    flightsRenew: renewScript,
    flightsAppend: appendScript,
    flightsRelease: releaseScript,
    flightsRead: readScript,
  })) {
    redis.defineCommand(name, { lua });
  }
  const scripts = redis as unknown as Scripts;
  const owner = newId(createHash('sha256').update('owner').digest('hex'));
  const prefixOf = (tenant: string) => tenantPrefix(settings.key_prefix, tenant);
  const channelOf = ({ leaseId }: LeaseRef) => `${settings.key_prefix}flight:${leaseId}`;

  return {
    async acquire({ tenant, key, question, leaseId, holder, labels, scope, epoch, isRefresh, begunAtMs }) {
      const made = JSON.stringify({ question, labels, scope: Buffer.from(scope).toString('base64'), epoch, isRefresh });
      const args = [key, leaseId, owner, holder, made, begunAtMs, leaseMs, isRefresh ? 1 : 0];
      const [held, begunAt] = await scripts.flightsAcquire(1, prefixOf(tenant), ...args);
      return { leaseId: held, begunAtMs: Number(begunAt) };
    },
    async take(ref, holder) {
      const args = [ref.key, ref.leaseId, owner, holder, leaseMs, channelOf(ref)];
      const [made, begunAt] = await scripts.flightsTake(1, prefixOf(ref.tenant), ...args);
      if (!made) return undefined;
      const { question, labels, scope, epoch, isRefresh } = JSON.parse(made) as Made;
      const init = { question, labels, scope: new Uint8Array(Buffer.from(scope, 'base64')), epoch, isRefresh };
      return { ...ref, holder, ...init, begunAtMs: Number(begunAt) };
    },
    renew: ({ tenant, key, leaseId }) =>
      scripts.flightsRenew(1, prefixOf(tenant), key, leaseId, owner, leaseMs, eventsMs),
    async append(ref, batch) {
      const { tenant, key, leaseId } = ref;
      const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
      const args = [key, leaseId, owner, bytes, leaseMs, eventsMs, channelOf(ref)];
      return (await scripts.flightsAppend(1, prefixOf(tenant), ...args)) === 1;
    },
    async release(ref, state, keptMs) {
      const { tenant, key, leaseId } = ref;
      const args = [key, leaseId, owner, state, keptMs, endedEventsMs, channelOf(ref)];
      await scripts.flightsRelease(1, prefixOf(tenant), ...args);
    },
    async read({ tenant, key, leaseId }, position) {
      const [entries, isHeld] = await scripts.flightsReadBuffer(1, prefixOf(tenant), key, leaseId, position, readBatch);
      const batches: Uint8Array[] = [];
      let end: 'finished' | 'abandoned' | undefined;
      let last = position;
      for (const [id, [field, value]] of entries) {
        last = id.toString();
        if (field?.toString() === 'b' && value) batches.push(value);
        else end = value?.toString() === 'finished' ? 'finished' : 'abandoned';
      }
      return { batches, position: last, end, isHeld: isHeld === 1 };
    },
    watch: (ref, onNews) => listener.subscribe(channelOf(ref), onNews),
    async close() {
      listener.close();
      redis.disconnect();
    },
  };
}
