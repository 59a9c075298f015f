import type { Change, IndexRow } from '../stores/index-row.ts';
import type { SnapshotSource } from './build/source.ts';
import type { SearchThreads } from './search/search-threads.ts';
import { type HeldSegment, type Snapshot, snapshotBytes } from './snapshot.ts';

/** A corpus to hold in memory. */
export interface SnapshotTarget {
  tenant: string;
  /** Distinguishes the vectors of different models; empty for words. */
  space: string;
  source: SnapshotSource;
}

/** A change with the segment of its new rows. */
export interface SnapshotChange {
  change: Change<IndexRow>;
  added: HeldSegment | undefined;
}

/** A corpus that is in memory, on its way there, or that cannot be. */
export interface SnapshotEntry {
  readonly target: SnapshotTarget;
  state: 'waiting' | 'loading' | 'ready' | 'too-large' | 'failed';
  readonly snapshot: Snapshot;
  /** Changes since the load began to read. */
  readonly missed: SnapshotChange[];
  /** Whether it is no longer held. */
  isReleased: boolean;
  /** Whether segments are being merged, or written into an image. */
  isMerging: boolean;
  /** Whether a search has used it. */
  isUsed: boolean;
  /** Its image, with the rows that it had when it was written; `undefined`: none. */
  image: { imageId: string; rowCount: number } | undefined;
}

/** The entries, within a bound of memory. */
export interface SnapshotRegistry {
  find(target: SnapshotTarget): SnapshotEntry | undefined;
  /** Returns the entries of a corpus, of all its spaces. */
  ofCorpus(tenant: string, corpusId: number): SnapshotEntry[];
  /** Adds an entry that waits to be loaded. */
  add(target: SnapshotTarget): SnapshotEntry;
  /** Makes an entry the most recently used. */
  touch(entry: SnapshotEntry): void;
  /** Releases an entry: no later search finds it. */
  release(entry: SnapshotEntry): void;
  /** Releases the least recently used entries until the rest fits in memory. */
  makeRoom(): void;
  /** Returns the memory of all entries; a merge uses more for a short time. */
  usedBytes(): number;
  freeBytes(): number;
  /** Returns the entries, the least recently used first. */
  all(): SnapshotEntry[];
}

/** Entries that are kept, with those that have no memory. */
const maxEntries = 10_000;

/** Creates an empty registry. */
export function createSnapshotRegistry(maxBytes: number, threads: SearchThreads): SnapshotRegistry {
  // In order of last use.
  const entries = new Map<string, SnapshotEntry>();
  const byCorpus = new Map<string, Set<SnapshotEntry>>();
  const keyOf = ({ tenant, space, source }: SnapshotTarget) => JSON.stringify([tenant, source.corpusId, space]);
  const corpusKey = (tenant: string, corpusId: number) => JSON.stringify([tenant, corpusId]);
  const usedBytes = () => {
    let sum = 0;
    for (const { snapshot } of entries.values()) sum += snapshotBytes(snapshot);
    return sum;
  };
  const release = (entry: SnapshotEntry) => {
    if (entry.isReleased) return;
    entry.isReleased = true;
    const { tenant, source } = entry.target;
    entries.delete(keyOf(entry.target));
    const corpus = corpusKey(tenant, source.corpusId);
    byCorpus.get(corpus)?.delete(entry);
    if (byCorpus.get(corpus)?.size === 0) byCorpus.delete(corpus);
    threads.detach(entry.snapshot.segments.map(({ segmentId }) => segmentId));
    entry.snapshot.segments = [];
    entry.missed.length = 0;
  };
  return {
    find: (target) => entries.get(keyOf(target)),
    ofCorpus: (tenant, corpusId) => [...(byCorpus.get(corpusKey(tenant, corpusId)) ?? [])],
    add(target) {
      const entry: SnapshotEntry = {
        ...{ target, state: 'waiting', snapshot: { segments: [], changedCount: 0 }, missed: [] },
        ...{ isReleased: false, isMerging: false, isUsed: false, image: undefined },
      };
      entries.set(keyOf(target), entry);
      const corpus = corpusKey(target.tenant, target.source.corpusId);
      byCorpus.set(corpus, (byCorpus.get(corpus) ?? new Set()).add(entry));
      for (const oldest of entries.values()) {
        if (entries.size <= maxEntries) break;
        if (oldest.state !== 'loading') release(oldest);
      }
      return entry;
    },
    touch(entry) {
      const key = keyOf(entry.target);
      entries.delete(key);
      entries.set(key, entry);
    },
    release,
    makeRoom() {
      let used = usedBytes();
      for (const entry of [...entries.values()]) {
        if (used <= maxBytes) return;
        if (entry.state !== 'ready') continue;
        used -= snapshotBytes(entry.snapshot);
        release(entry);
      }
    },
    usedBytes,
    freeBytes: () => maxBytes - usedBytes(),
    all: () => [...entries.values()],
  };
}
