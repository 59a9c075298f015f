import { LRUCache } from 'lru-cache';
import type { Logger } from '#kit/base/log.ts';
import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { Change, Hit, IndexRow } from '../stores/index-row.ts';
import type { SnapshotSource } from './protocol.ts';
import { createSnapshotThread, type SnapshotThread } from './snapshot-thread.ts';

/** A version of a corpus to search, and where it is read from. `space`: tells vectors of one model from those of another. */
export interface SnapshotTarget {
  tenant: string;
  space: string;
  source: SnapshotSource;
}

/** A search in memory. */
export type SnapshotQuery = { aclIds: readonly number[]; limit: number } & (
  | { kind: 'near'; vector: Float32Array }
  | { kind: 'words'; words: readonly QueryWord[] }
);

/**
 * Index versions held in memory, where a search costs a small part of what it costs in SQLite. A published version never changes,
 * so a copy of it stays right until a document is purged or gets another access list; SQLite answers while a copy is being made, and whatever has none.
 */
export interface Snapshots {
  /**
   * Hits, where every wanted version is in memory; otherwise `undefined`, and those that are not are begun to be read. Rejects with
   * the signal's reason where it aborts.
   */
  search(wanted: readonly SnapshotTarget[], query: SnapshotQuery, signal: AbortSignal): Promise<Hit[]> | undefined;
  /** Runs a write, and lets go of the copies that it makes wrong: none of them answers once this resolves. */
  during<T>(tenant: string, corpusId: number, change: Change<IndexRow>, write: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is being read. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

interface Held {
  id: number;
  wanted: SnapshotTarget;
  state: 'loading' | 'ready' | 'too-large' | 'failed';
  sizeBytes: number;
  /** A write has made it wrong, or it had to make way. */
  isLetGo: boolean;
}

/** Searches that may wait for the thread; beyond, SQLite's threads take their share. */
const maxPending = 64;

/** Creates the copies, `maxBytes` of them at most; 0: none. `log` hears of a version that could not be read. */
export function createSnapshots(maxBytes: number, log?: Logger): Snapshots {
  let thread: SnapshotThread | undefined;
  let lastId = 0;
  let isClosed = false;
  const loading = new Set<Promise<void>>();
  const held = new LRUCache<string, Held>({
    max: 10_000,
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ sizeBytes }) => Math.max(1, sizeBytes),
    dispose(entry) {
      entry.isLetGo = true;
      const { id, state } = entry;
      if (state === 'ready' && thread !== undefined) void thread.call({ kind: 'drop', snapshotId: id }).catch(() => {});
    },
  });
  const keyOf = ({ tenant, space, source: { corpusId, version } }: SnapshotTarget) =>
    JSON.stringify([tenant, corpusId, version, space]);
  const start = () => {
    thread ??= createSnapshotThread(() => {
      thread = undefined;
      // Those that it was reading fail by themselves.
      for (const [key, { state }] of [...held.entries()]) if (state === 'ready') held.delete(key);
    });
    return thread;
  };

  const load = async (key: string, wanted: SnapshotTarget): Promise<void> => {
    const entry: Held = { id: ++lastId, wanted, state: 'loading', sizeBytes: 1, isLetGo: false };
    held.set(key, entry);
    const becomes = (state: Held['state'], sizeBytes: number) => {
      if (!entry.isLetGo) held.set(key, { ...entry, state, sizeBytes });
    };
    const { id } = entry;
    try {
      const { sizeBytes } = await start().call({ kind: 'load', snapshotId: id, source: wanted.source, maxBytes });
      const fits = sizeBytes !== undefined && sizeBytes <= maxBytes;
      if (sizeBytes !== undefined && (!fits || entry.isLetGo)) await thread?.call({ kind: 'drop', snapshotId: id });
      if (fits) becomes('ready', sizeBytes);
      else becomes('too-large', 1);
    } catch (error) {
      // SQLite answers. Not begun again before the version changes: what has failed once, or has ended the thread, would again.
      if (isClosed) return;
      const { corpusId, version } = wanted.source;
      log?.warn({ corpusId, version, err: error }, 'an index version is not held in memory: it could not be read');
      becomes('failed', 1);
    }
  };
  const isWrong = (version: number, change: Change<IndexRow>): boolean => {
    switch (change.kind) {
      // What the version adds or removes is not in those before it.
      case 'replace':
        return version >= change.version;
      case 'retain':
        return version < change.oldest || version > change.newest;
      // An older version may be in memory with the list that its documents had.
      case 'access':
      case 'purge':
      case 'forget':
        return true;
      default:
        return change satisfies never;
    }
  };
  const letGo = (tenant: string, corpusId: number, change: Change<IndexRow>) => {
    for (const [key, { wanted }] of [...held.entries()]) {
      const { source } = wanted;
      if (wanted.tenant === tenant && source.corpusId === corpusId && isWrong(source.version, change)) held.delete(key);
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
      // The thread reads one version at a time, which may take seconds: nobody waits for another tenant's.
      const isBusy = loading.size > 0 || (thread?.pendingCount ?? 0) >= maxPending;
      if (ids.length < wanted.length || thread === undefined || isBusy) return undefined;
      return unlessAborted(
        thread.call({ ...query, snapshotIds: ids }).then(({ hits }) => hits ?? []),
        signal,
      );
    },
    async during(tenant, corpusId, change, write) {
      letGo(tenant, corpusId, change);
      try {
        return await write();
      } finally {
        // A copy that was begun before the write is of the time before it.
        letGo(tenant, corpusId, change);
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
