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

/** An answer, and where it was. */
export interface Found {
  answer: StoredAnswer;
  layer: CacheLayer;
}

/** What was invalidated when: a token of a moment, for {@link Layers.keep}. */
export interface Epoch {
  /** Invalidations that this process has seen. */
  seen: number;
  /** What the durable store said of the tenant. */
  stored: string;
}

/** What the layers are made of. */
export interface LayersParts {
  memory: AnswerStore;
  openDurable: (listener: StoreListener) => Promise<AnswerStore>;
  guard: Guard;
  clock: () => number;
  /** Time that memory is believed while other replicas are not heard, in milliseconds. */
  detachedMs: number;
  /** Answers were removed elsewhere, or here: generations under way may concern them too. */
  onInvalidated: (tenant: string, target: InvalidateTarget) => void;
  /** A stored answer of a tenant could not be read, and was dropped. */
  onCorrupt: (tenant: string) => void;
  log: Logger;
}

/** The layers of the cache, fastest first. */
export type Layers = Awaited<ReturnType<typeof createLayers>>;

/** Longest wait for the durable store to drop an answer, in milliseconds. */
const dropTimeoutMs = 100;
/** Longest wait for it to take an invalidation, or to give its sums, in milliseconds. */
const invalidateTimeoutMs = 5000;
const usageTimeoutMs = 1000;

/** Joins the layers: answers found below are kept above; a durable store that fails or is late costs a miss, no more. */
export async function createLayers(parts: LayersParts) {
  const { memory, guard, clock, detachedMs, log } = parts;
  // Counts invalidations. A write that was under way when one came is taken back: nothing stale survives it.
  let seen = 0;
  /** What the durable store said of each tenant; '' where it has said nothing yet. */
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
      log.info({ attached: isAttached }, 'listening to other replicas');
      isDetached = !isAttached;
      detachedAtMs = clock();
      // Of these tenants nobody can tell what was invalidated meanwhile.
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

  /** Drops an answer that cannot be read. */
  const drop = async (tenant: string, key: string, error: unknown): Promise<void> => {
    log.error({ err: error, key }, 'a stored answer cannot be read and was dropped');
    parts.onCorrupt(tenant);
    await memory.invalidate(tenant, { kind: 'entry', key });
    await within(() => durable.invalidate(tenant, { kind: 'entry', key }), { timeoutMs: dropTimeoutMs }).catch(
      (failure: unknown) => {
        log.warn({ err: failure }, 'the durable answer store failed to drop an answer');
      },
    );
  };

  return {
    async findInMemory(tenant: string, key: string): Promise<Found | undefined> {
      if (isDetached && clock() > detachedAtMs + detachedMs) return undefined;
      const answer = await memory.get(tenant, key);
      return answer && { answer, layer: CacheLayer.MEMORY };
    },

    /** Looks in the durable store for at most `timeoutMs`. */
    async findDurable(tenant: string, key: string, timeoutMs: number): Promise<Found | undefined> {
      if (!epochs.has(tenant)) epochs.set(tenant, '');
      try {
        // Once more where an invalidation came in between, which may not concern this answer.
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
          log.warn({ err: error }, 'the durable answer store failed: the look-up goes on without it');
        }
        return undefined;
      }
    },

    /** Now, for {@link keep}. */
    epoch: (tenant: string): Epoch => ({ seen, stored: epochs.get(tenant) ?? '' }),

    /**
     * Keeps an answer in every layer, unless an invalidation came since `begunIn`. `replaces`: other replicas may have an older one in
     * memory. Waits for the durable store at most `timeoutMs`.
     */
    async keep(answer: StoredAnswer, begunIn: Epoch, timeoutMs: number, replaces = false): Promise<void> {
      await putInMemory(answer, begunIn.seen);
      try {
        await guard.run(() => putDurable(answer, begunIn, replaces), timeoutMs);
      } catch (error) {
        log.warn({ err: error }, 'the durable answer store failed: the answer is kept in memory only');
      }
    },

    drop,

    /** Removes answers from every layer; resolves to how many. Throws UNAVAILABLE where the durable store may still have some. */
    async invalidate(tenant: string, target: InvalidateTarget): Promise<number> {
      const keys = new Set(await forgetInMemory(tenant, target));
      try {
        for (const key of await within(() => durable.invalidate(tenant, target), { timeoutMs: invalidateTimeoutMs }))
          keys.add(key);
      } catch (error) {
        throw unavailable('answer-store', 'the durable answer store did not take the invalidation: call again', error);
      } finally {
        // Once more: a read that came between the two may have brought an answer back up.
        for (const key of await forgetInMemory(tenant, target)) keys.add(key);
      }
      return keys.size;
    },

    /** Answers with a label, of memory, then of the durable store, where it answers in time. */
    async find(tenant: string, label: string, limit: number): Promise<Found[]> {
      const above = await memory.find(tenant, label, limit);
      const keys = new Set(above.map(({ key }) => key));
      const below = await guard
        .run(() => durable.find(tenant, label, limit), usageTimeoutMs)
        .catch((error: unknown) => {
          log.warn({ err: error }, 'the durable answer store failed: only answers in memory are told');
          return [];
        });
      return [
        ...above.map((answer) => ({ answer, layer: CacheLayer.MEMORY })),
        ...below.filter(({ key }) => !keys.has(key)).map((answer) => ({ answer, layer: CacheLayer.DURABLE })),
      ];
    },

    /** What a tenant has in each layer; a durable store that does not answer is left out. */
    async usage(tenant: string) {
      const above = { layer: CacheLayer.MEMORY, ...(await memory.usage(tenant)) };
      try {
        return [
          above,
          { layer: CacheLayer.DURABLE, ...(await guard.run(() => durable.usage(tenant), usageTimeoutMs)) },
        ];
      } catch (error) {
        log.warn({ err: error }, 'the durable answer store failed: its sums are left out');
        return [above];
      }
    },

    async close(): Promise<void> {
      await memory.close();
      await durable.close();
    },
  };
}
