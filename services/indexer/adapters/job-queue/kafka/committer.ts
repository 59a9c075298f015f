import type { Consumer } from '@platformatic/kafka';
import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import { within } from '#kit/base/within.ts';

/** Commits offsets of one consumer, one request at a time. */
export interface Committer {
  /** Notes that every message of a partition before `offset` is finished. */
  note(partition: number, offset: bigint, leaderEpoch: number): void;
  /** Commits what was noted, once more, and ends. */
  close(): Promise<void>;
}

/** A commit that takes longer waits for a rebalance. */
const commitTimeoutMs = 5000;
const retryMs = 500;

/** Starts a committer. What could not be committed is tried again, unless its partition has gone to another worker. */
export function startCommitter(
  consumer: Pick<Consumer<string, string, string, string>, 'commit' | 'assignments'>,
  topic: string,
  log: Logger,
): Committer {
  const noted = new Map<number, { offset: bigint; leaderEpoch: number }>();
  const closing = new AbortController();
  let wake = () => {};
  const flush = async (): Promise<boolean> => {
    const assigned = new Set(consumer.assignments?.find((one) => one.topic === topic)?.partitions);
    for (const partition of noted.keys()) if (!assigned.has(partition)) noted.delete(partition);
    if (noted.size === 0) return true;
    const sent = [...noted];
    try {
      const offsets = sent.map(([partition, at]) => ({ topic, partition, ...at }));
      await within(() => consumer.commit({ offsets }), { timeoutMs: commitTimeoutMs });
    } catch (error) {
      log.debug({ event: 'kafka_commit_failed', err: error }, 'kafka offsets not committed');
      return false;
    }
    for (const [partition, at] of sent) if (noted.get(partition) === at) noted.delete(partition);
    return true;
  };
  const loop = async () => {
    while (!closing.signal.aborted) {
      const isDone = await flush();
      if (isDone && noted.size > 0) continue;
      const woken = new AbortController();
      if (isDone) wake = () => woken.abort();
      await sleep(isDone ? 60_000 : retryMs, AbortSignal.any([woken.signal, closing.signal])).catch(() => {});
      wake = () => {};
    }
  };
  const looping = loop();
  return {
    note(partition, offset, leaderEpoch) {
      noted.set(partition, { offset, leaderEpoch });
      wake();
    },
    async close() {
      closing.abort();
      await looping;
      await flush();
    },
  };
}
