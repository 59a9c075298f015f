import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import {
  type AnswerStore,
  ChangedBytesError,
  type InvalidateTarget,
  type StoredAnswer,
  type StoreListener,
} from './answer-store.ts';
import type { Guard } from './store-guard.ts';

/** An answer and the layer that had it. */
export interface Found {
  answer: StoredAnswer;
  layer: CacheLayer;
}

/** The state of invalidations at a moment: a token for {@link Layers.keep}. */
export interface Epoch {
  /** Invalidations that this process has seen. */
  seen: number;
  /** The epoch of the tenant in the durable store. */
  stored: string;
}

/** What the layers are made of. */
export interface LayersParts {
  memory: AnswerStore;
  openDurable: (listener: StoreListener) => Promise<AnswerStore>;
  guard: Guard;
  clock: () => number;
  /** Time for which memory is used while invalidations of other replicas do not arrive, in milliseconds. */
  detachedMs: number;
  /** Called when answers are removed, here or on another replica: flights may be concerned too. */
  onInvalidated: (tenant: string, target: InvalidateTarget) => void;
  /** Called when a stored answer of a tenant could not be read and was dropped. */
  onCorrupt: (tenant: string) => void;
  log: Logger;
}

/** The layers of the cache, fastest first. */
export type Layers = Awaited<ReturnType<typeof createLayers>>;

/** Longest wait for the durable store to drop an answer, in milliseconds. */
const dropTimeoutMs = 100;
/** Longest wait for it to take an invalidation, or to report its usage, in milliseconds. */
const invalidateTimeoutMs = 5000;
const usageTimeoutMs = 1000;

/** Creates the layers. An answer that is found below is kept above. A durable store that fails or is late causes a miss. */
export async function createLayers(parts: LayersParts) {
  const { memory, guard, clock, detachedMs, log } = parts;
  // Counts invalidations. A write that is running when one arrives is undone, so that no stale answer survives it.
  let seen = 0;
  /** The epoch of each tenant in the durable store; '' if it is not known yet. */
  const epochs = new Map<string, string>();
  let isDetached = false;
  let detachedAtMs = 0;

  const forgetInMemory = (tenant: string, target: InvalidateTarget) => {
    if (target.kind !== 'entry') {
      seen++;
      parts.onInvalidated(tenant, target);
    }
    return memory.invalidate(tenant, target);
  };

  const listener: StoreListener = {
    epoch: (tenant, epoch) => void epochs.set(tenant, epoch),
    invalidated: (tenant, target) => void forgetInMemory(tenant, target),
    attached(isAttached) {
      if (isAttached === !isDetached) return;
      log.info({ event: 'cache_attached', attached: isAttached }, 'invalidations of other replicas');
      isDetached = !isAttached;
      detachedAtMs = clock();
      // What was invalidated meanwhile for these tenants is not known.
      if (isAttached)
        for (const [tenant, epoch] of epochs) if (epoch === '') void forgetInMemory(tenant, { kind: 'all' });
    },
  };
  const durable = await parts.openDurable(listener);

  const putInMemory = async (answer: StoredAnswer, begunIn: number) => {
    if (seen !== begunIn) return;
    await memory.put(answer);
    if (seen !== begunIn) await memory.invalidate(answer.tenant, { kind: 'entry', key: answer.key });
  };

  const putDurable = async (answer: StoredAnswer, begunIn: Epoch, replaces: boolean) => {
    if (seen !== begunIn.seen) return;
    await durable.put(answer, { epoch: begunIn.stored, replaces });
    if (seen !== begunIn.seen) await durable.invalidate(answer.tenant, { kind: 'entry', key: answer.key });
  };

  /** Removes an answer that cannot be read. */
  const drop = async (tenant: string, key: string, error: unknown): Promise<void> => {
    log.error({ event: 'cache_answer_corrupt', err: error, key }, 'stored answer corrupt, dropped');
    parts.onCorrupt(tenant);
    await memory.invalidate(tenant, { kind: 'entry', key });
    await within(() => durable.invalidate(tenant, { kind: 'entry', key }), { timeoutMs: dropTimeoutMs }).catch(
      (failure: unknown) => {
        log.warn({ event: 'cache_drop_failed', err: failure }, 'durable answer store failed');
      },
    );
  };

  return {
    async findInMemory(tenant: string, key: string): Promise<Found | undefined> {
      if (isDetached && clock() > detachedAtMs + detachedMs) return undefined;
      const answer = await memory.get(tenant, key);
      return answer && { answer, layer: CacheLayer.MEMORY };
    },

    /** Reads the durable store for at most `timeoutMs`. A failure is a miss. */
    async findDurable(tenant: string, key: string, timeoutMs: number): Promise<Found | undefined> {
      if (!epochs.has(tenant)) epochs.set(tenant, '');
      try {
        // Again if an invalidation came in between: it may not concern this answer.
        for (let attempt = 0; attempt < 2; attempt++) {
          const begunIn = seen;
          const answer = await guard.run(() => durable.get(tenant, key), timeoutMs);
          if (answer === undefined) return undefined;
          await putInMemory(answer, begunIn);
          if (seen === begunIn) return { answer, layer: CacheLayer.DURABLE };
        }
        return undefined;
      } catch (error) {
        if (error instanceof ChangedBytesError) await drop(tenant, key, error);
        else if (guard.state === 0) {
          log.warn({ event: 'cache_durable_read_failed', err: error }, 'durable answer store failed');
        }
        return undefined;
      }
    },

    /** Returns the present moment, for {@link keep}. */
    epoch: (tenant: string): Epoch => ({ seen, stored: epochs.get(tenant) ?? '' }),

    /**
     * Stores an answer in every layer, unless an invalidation came since `begunIn`. `replaces`: other replicas may have an older one in
     * memory. Waits at most `timeoutMs` for the durable store.
     */
    async keep(answer: StoredAnswer, begunIn: Epoch, timeoutMs: number, replaces = false): Promise<void> {
      await putInMemory(answer, begunIn.seen);
      try {
        await guard.run(() => putDurable(answer, begunIn, replaces), timeoutMs);
      } catch (error) {
        log.warn({ event: 'cache_durable_write_failed', err: error }, 'answer kept in memory only');
      }
    },

    drop,

    /** Removes answers from every layer and returns how many. Throws UNAVAILABLE if the durable store may still have some. */
    async invalidate(tenant: string, target: InvalidateTarget): Promise<number> {
      const keys = new Set(await forgetInMemory(tenant, target));
      try {
        for (const key of await within(() => durable.invalidate(tenant, target), { timeoutMs: invalidateTimeoutMs }))
          keys.add(key);
      } catch (error) {
        throw unavailable('answer-store', 'the durable answer store did not take the invalidation: call again', error);
      } finally {
        // Again: a read between the two may have copied an answer into memory.
        for (const key of await forgetInMemory(tenant, target)) keys.add(key);
      }
      return keys.size;
    },

    /** Returns answers with a label: of memory, then of the durable store if it answers in time. */
    async find(tenant: string, label: string, limit: number): Promise<Found[]> {
      const above = await memory.find(tenant, label, limit);
      const keys = new Set(above.map(({ key }) => key));
      const below = await guard
        .run(() => durable.find(tenant, label, limit), usageTimeoutMs)
        .catch((error: unknown) => {
          log.warn({ event: 'cache_durable_find_failed', err: error }, 'only answers in memory listed');
          return [];
        });
      return [
        ...above.map((answer) => ({ answer, layer: CacheLayer.MEMORY })),
        ...below.filter(({ key }) => !keys.has(key)).map((answer) => ({ answer, layer: CacheLayer.DURABLE })),
      ];
    },

    /** Returns what a tenant has in each layer, without a durable store that does not answer. */
    async usage(tenant: string) {
      const above = { layer: CacheLayer.MEMORY, ...(await memory.usage(tenant)) };
      try {
        return [
          above,
          { layer: CacheLayer.DURABLE, ...(await guard.run(() => durable.usage(tenant), usageTimeoutMs)) },
        ];
      } catch (error) {
        log.warn({ event: 'cache_durable_usage_failed', err: error }, 'usage of durable store missing');
        return [above];
      }
    },

    async close(): Promise<void> {
      await memory.close();
      await durable.close();
    },
  };
}
