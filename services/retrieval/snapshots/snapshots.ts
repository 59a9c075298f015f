import { LRUCache } from 'lru-cache';
import type { Logger } from '#kit/base/log.ts';
import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { Change, Hit, IndexRow } from '../stores/index-row.ts';
import type { SnapshotSource } from './protocol.ts';
import { createSnapshotThread, type SnapshotThread } from './snapshot-thread.ts';

/** A version of a corpus to search, and its source. `space` distinguishes the vectors of different models. */
export interface SnapshotTarget {
  tenant: string;
  space: string;
  source: SnapshotSource;
}

/** A search of snapshots. */
export type SnapshotQuery = { aclIds: readonly number[]; limit: number } & (
  | { kind: 'near'; vector: Float32Array }
  | { kind: 'words'; words: readonly QueryWord[] }
);

/**
 * Snapshots of index versions in memory. A search there costs a fraction of a search in SQLite. A published version never changes, so its
 * snapshot stays valid until a document is purged or gets another access list. SQLite answers while a snapshot is loading, and for
 * versions without one.
 */
export interface Snapshots {
  /**
   * Returns the hits if every wanted version is in memory. Otherwise starts to load the missing versions and returns `undefined`. The
   * promise rejects with the signal's reason if it aborts.
   */
  search(wanted: readonly SnapshotTarget[], query: SnapshotQuery, signal: AbortSignal): Promise<Hit[]> | undefined;
  /** Runs a write and releases the snapshots that it makes stale: none of them answers once this resolves. */
  during<T>(tenant: string, corpusId: number, change: Change<IndexRow>, write: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is loading. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

interface SnapshotEntry {
  id: number;
  wanted: SnapshotTarget;
  state: 'loading' | 'ready' | 'too-large' | 'failed';
  sizeBytes: number;
  /** Whether a write has made it stale, or another snapshot took its memory. */
  isReleased: boolean;
}

/** Searches that may wait for the thread; SQLite answers those beyond. */
const maxPending = 64;

/** Creates the snapshots. They use at most `maxBytes`; 0: none. `log` gets the versions that could not be loaded. */
export function createSnapshots(maxBytes: number, log?: Logger): Snapshots {
  let thread: SnapshotThread | undefined;
  let lastId = 0;
  let isClosed = false;
  const loading = new Set<Promise<void>>();
  const held = new LRUCache<string, SnapshotEntry>({
    max: 10_000,
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ sizeBytes }) => Math.max(1, sizeBytes),
    dispose(entry) {
      entry.isReleased = true;
      const { id, state } = entry;
      if (state === 'ready' && thread !== undefined) void thread.call({ kind: 'drop', snapshotId: id }).catch(() => {});
    },
  });
  const keyOf = ({ tenant, space, source: { corpusId, version } }: SnapshotTarget) =>
    JSON.stringify([tenant, corpusId, version, space]);
  const start = () => {
    thread ??= createSnapshotThread(() => {
      thread = undefined;
      // The requests of those that were loading fail by themselves.
      for (const [key, { state }] of [...held.entries()]) if (state === 'ready') held.delete(key);
    });
    return thread;
  };

  const load = async (key: string, wanted: SnapshotTarget): Promise<void> => {
    const entry: SnapshotEntry = { id: ++lastId, wanted, state: 'loading', sizeBytes: 1, isReleased: false };
    held.set(key, entry);
    const becomes = (state: SnapshotEntry['state'], sizeBytes: number) => {
      if (!entry.isReleased) held.set(key, { ...entry, state, sizeBytes });
    };
    const { id } = entry;
    try {
      const { sizeBytes } = await start().call({ kind: 'load', snapshotId: id, source: wanted.source, maxBytes });
      const fits = sizeBytes !== undefined && sizeBytes <= maxBytes;
      if (sizeBytes !== undefined && (!fits || entry.isReleased)) await thread?.call({ kind: 'drop', snapshotId: id });
      if (fits) becomes('ready', sizeBytes);
      else becomes('too-large', 1);
    } catch (error) {
      // SQLite answers. The version is not loaded again before it changes: it would fail again, or end the thread again.
      if (isClosed) return;
      const { corpusId, version } = wanted.source;
      log?.warn({ event: 'snapshot_failed', corpusId, version, err: error }, 'snapshot not loaded');
      becomes('failed', 1);
    }
  };
  const isStale = (version: number, change: Change<IndexRow>): boolean => {
    switch (change.kind) {
      // Versions before it do not include its additions and removals.
      case 'replace':
        return version >= change.version;
      case 'retain':
        return version < change.oldest || version > change.newest;
      // The snapshot of an older version has the old access lists.
      case 'access':
      case 'purge':
      case 'forget':
        return true;
      default:
        return change satisfies never;
    }
  };
  const release = (tenant: string, corpusId: number, change: Change<IndexRow>) => {
    for (const [key, { wanted }] of [...held.entries()]) {
      const { source } = wanted;
      if (wanted.tenant === tenant && source.corpusId === corpusId && isStale(source.version, change)) held.delete(key);
    }
  };

  return {
    search(wanted, query, signal) {
      if (maxBytes === 0 || isClosed || wanted.length === 0) return undefined;
      const ids: number[] = [];
      for (const one of wanted) {
        const key = keyOf(one);
        const entry = held.get(key);
        if (entry?.state === 'ready') ids.push(entry.id);
        if (entry !== undefined) continue;
        const work = load(key, one).finally(() => loading.delete(work));
        loading.add(work);
      }
      // The thread loads one version at a time, which may take seconds: a search does not wait for it.
      const isBusy = loading.size > 0 || (thread?.pendingCount ?? 0) >= maxPending;
      if (ids.length < wanted.length || thread === undefined || isBusy) return undefined;
      return unlessAborted(
        thread.call({ ...query, snapshotIds: ids }).then(({ hits }) => hits ?? []),
        signal,
      );
    },
    async during(tenant, corpusId, change, write) {
      release(tenant, corpusId, change);
      try {
        return await write();
      } finally {
        // A snapshot that began to load before the write has the rows from before it.
        release(tenant, corpusId, change);
      }
    },
    async idle() {
      while (loading.size > 0) await Promise.all(loading);
    },
    async close() {
      isClosed = true;
      held.clear();
      await thread?.close();
    },
  };
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
