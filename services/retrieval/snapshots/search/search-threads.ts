import { createWorkerRpc, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import type { Hit } from '../../stores/index-row.ts';
import type { Segment } from '../segment.ts';
import type { SearchReply, SearchRequest, SnapshotQuery } from './protocol.ts';

/** A segment that threads may hold. */
export interface SharedSegment {
  segmentId: number;
  segment: Segment;
}

/** Threads that search segments. Each search runs in one of them, and all of them read the same memory. */
export interface SearchThreads {
  /** Returns a number that no segment has. */
  newSegmentId(): number;
  /** Returns the best hits. Resolves to `undefined` if too many searches wait. */
  search(
    targets: readonly { shared: SharedSegment; version: number }[],
    query: SnapshotQuery,
  ): Promise<Hit[]> | undefined;
  /** Starts all threads, and resolves when their first searches will be as fast as later ones. */
  warm(): Promise<void>;
  /** Releases segments that no later search names. */
  detach(segmentIds: readonly number[]): void;
  close(): Promise<void>;
}

/** Searches that may wait for a thread. */
const maxWaiting = 64;

/** Requests that a thread may hold: its searches, and releases, which are not limited. */
const maxPending = 100_000;

interface Thread {
  rpc: WorkerRpc<SearchRequest, SearchReply>;
  attached: Set<number>;
}

/** Creates the threads. Each starts with its first search, or when all are warmed. */
export function createSearchThreads(count: number): SearchThreads {
  const file = new URL('./search-worker.ts', import.meta.url);
  const threads = Array.from({ length: count }, (): Thread => {
    const attached = new Set<number>();
    // A new thread gets the segments with the searches that need them.
    const onCrash = () => attached.clear();
    return { rpc: createWorkerRpc({ file, name: 'search', maxPending, restarts: true, onCrash }), attached };
  });
  let lastSegmentId = 0;
  let warming: Promise<void> | undefined;
  return {
    newSegmentId: () => ++lastSegmentId,
    search(targets, query) {
      const { rpc, attached } = threads.reduce((least, thread) =>
        thread.rpc.pendingCount < least.rpc.pendingCount ? thread : least,
      );
      if (rpc.pendingCount >= maxWaiting) return undefined;
      const missing = targets.flatMap(({ shared }) => (attached.has(shared.segmentId) ? [] : [shared]));
      for (const { segmentId } of missing) attached.add(segmentId);
      const request: SearchRequest = {
        kind: 'search',
        attached: missing.map(({ segmentId, segment }) => ({ segmentId, segment })),
        targets: targets.map(({ shared, version }) => ({ segmentId: shared.segmentId, version })),
        query,
      };
      return rpc.call(request).then(({ hits }) => hits);
    },
    warm() {
      warming ??= Promise.all(threads.map(({ rpc }) => rpc.call({ kind: 'warm' }))).then(
        () => {},
        // The next call tries again.
        (error: unknown) => {
          warming = undefined;
          throw error;
        },
      );
      return warming;
    },
    detach(segmentIds) {
      for (const { rpc, attached } of threads) {
        const held = segmentIds.filter((id) => attached.delete(id));
        // A thread that has ended has no segments.
        if (held.length > 0) rpc.call({ kind: 'detach', segmentIds: held }).catch(() => {});
      }
    },
    async close() {
      await Promise.all(threads.map(({ rpc }) => rpc.close()));
    },
  };
}
