import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { deadlineExceeded, unavailable } from '#kit/errors.ts';
import type { Logger } from '#kit/log.ts';
import type { AnswerStore, InvalidateTarget, StoredAnswer } from './answer-store.ts';

/** An answer, and where it was. */
export interface Found {
  answer: StoredAnswer;
  layer: CacheLayer;
}

/** The layers of the cache, fastest first. */
export type Layers = ReturnType<typeof createLayers>;

/** Longest wait for the disk to drop an answer, in milliseconds. */
const dropTimeoutMs = 100;

/** Joins the layers: answers found below are kept above; a durable store that fails or is late costs a miss, no more. */
export function createLayers({ memory, durable, log }: { memory: AnswerStore; durable: AnswerStore; log: Logger }) {
  // Counts invalidations. A write that was under way when one came is taken back: nothing stale survives it.
  let epoch = 0;

  const store = async (layer: AnswerStore, answer: StoredAnswer, begunIn: number) => {
    if (epoch !== begunIn) return;
    await layer.put(answer);
    if (epoch !== begunIn) await layer.remove(answer.tenant, answer.key);
  };

  return {
    async findInMemory(tenant: string, key: string): Promise<Found | undefined> {
      const answer = await memory.get(tenant, key);
      return answer && { answer, layer: CacheLayer.MEMORY };
    },

    /** Looks in the durable store for at most `timeoutMs`. */
    async findDurable(tenant: string, key: string, timeoutMs: number): Promise<Found | undefined> {
      const begunIn = epoch;
      try {
        const answer = await within(durable.get(tenant, key), timeoutMs);
        if (answer === undefined || epoch !== begunIn) return undefined;
        await store(memory, answer, begunIn);
        return { answer, layer: CacheLayer.DURABLE };
      } catch (error) {
        log.warn({ err: error }, 'the durable answer store failed: the look-up goes on without it');
        return undefined;
      }
    },

    /** Now, for {@link keep}. */
    epoch: () => epoch,

    /** Keeps an answer in every layer, unless an invalidation came since `begunIn`. Waits for the disk at most `timeoutMs`. */
    async keep(answer: StoredAnswer, begunIn: number, timeoutMs: number): Promise<void> {
      await store(memory, answer, begunIn);
      try {
        await within(store(durable, answer, begunIn), timeoutMs);
      } catch (error) {
        log.warn({ err: error }, 'the durable answer store failed: the answer is kept in memory only');
      }
    },

    /** Drops an answer that cannot be read. */
    async drop(answer: StoredAnswer, error: unknown): Promise<void> {
      log.error({ err: error, key: answer.key }, 'a stored answer cannot be read and was dropped');
      await memory.remove(answer.tenant, answer.key);
      await within(durable.remove(answer.tenant, answer.key), dropTimeoutMs).catch((failure: unknown) => {
        log.warn({ err: failure }, 'the durable answer store failed to drop an answer');
      });
    },

    /** Removes answers from every layer; resolves to how many. Throws UNAVAILABLE where the durable store may still have some. */
    async invalidate(tenant: string, target: InvalidateTarget): Promise<number> {
      epoch++;
      const keys = new Set(await memory.invalidate(tenant, target));
      try {
        for (const key of await durable.invalidate(tenant, target)) keys.add(key);
      } catch (error) {
        throw unavailable('answer-store', 'the durable answer store did not take the invalidation: call again', error);
      } finally {
        // Once more: a read that came between the two may have brought an answer back up.
        epoch++;
        for (const key of await memory.invalidate(tenant, target)) keys.add(key);
      }
      return keys.size;
    },

    /** What a tenant has in each layer. */
    usage: async (tenant: string) => [
      { layer: CacheLayer.MEMORY, ...(await memory.usage(tenant)) },
      { layer: CacheLayer.DURABLE, ...(await durable.usage(tenant)) },
    ],

    async close(): Promise<void> {
      await memory.close();
      await durable.close();
    },
  };
}

/** The result of `work`, or DEADLINE_EXCEEDED after `timeoutMs`; what comes later is dropped. */
export async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  work.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(deadlineExceeded(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
