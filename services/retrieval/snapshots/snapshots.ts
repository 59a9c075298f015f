import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import type { Change, Hit, IndexRow } from '../stores/index-row.ts';
import { type Builder, createBuilder } from './build/builder.ts';
import type { SnapshotRow } from './build/protocol.ts';
import { createImages, type ImageOutcome, type ImageRecords } from './images/images.ts';
import { corpusLock, createLoads } from './loads.ts';
import { createMerges } from './merges.ts';
import { createNamedLocks } from './named-locks.ts';
import { createSnapshotRegistry, type SnapshotEntry, type SnapshotTarget } from './registry.ts';
import type { SnapshotQuery } from './search/protocol.ts';
import { createSearchThreads, type SearchThreads } from './search/search-threads.ts';
import type { Segment } from './segment.ts';
import { changeSnapshot, type HeldSegment, holdSegment } from './snapshot.ts';
import { loadAll } from './startup.ts';

/** New rows of a change, all in one space. `dimensions`: of their vectors; `undefined`: they have words. */
export interface AddedRows {
  space: string;
  dimensions: number | undefined;
  rows: readonly SnapshotRow[];
}

/**
 * Snapshots of corpora in memory, each with all of its versions. A search there costs a fraction of a search in SQLite. Each change of the
 * store is made here too, so a snapshot stays valid. SQLite answers while a snapshot is loading, and for corpora without one.
 */
export interface Snapshots {
  /**
   * Returns the hits if every wanted corpus is in memory. Otherwise starts to load the missing ones and returns `undefined`. The promise
   * rejects with the signal's reason if it aborts.
   */
  search(
    wanted: readonly { target: SnapshotTarget; version: number }[],
    query: SnapshotQuery,
    signal: AbortSignal,
  ): Promise<Hit[]> | undefined;
  /** Runs a write of the store, and makes the change in memory: each search that begins after this has resolved sees it. */
  during<T>(
    tenant: string,
    corpusId: number,
    change: Change<IndexRow>,
    added: AddedRows | undefined,
    write: () => Promise<T>,
  ): Promise<T>;
  /** Loads corpora, and resolves when each is in memory or cannot be. Rejects with the signal's reason if it aborts. */
  prepare(targets: readonly SnapshotTarget[], signal: AbortSignal): Promise<void>;
  /**
   * Loads corpora in this order until memory is full. `onFirstUse` runs when a search uses a corpus for the first time since it was loaded.
   * `records`: those of the images of corpora.
   */
  start(
    targets: AsyncIterable<SnapshotTarget>,
    records: ImageRecords,
    onFirstUse: (target: SnapshotTarget) => void,
  ): void;
  /** Resolves when {@link start} has ended, with the tenants that it has loaded, in its order. */
  started(): Promise<readonly string[]>;
  /** Removes the images of a tenant, which may have what was deleted; resolves when they are gone. New ones are written in the background. */
  dropImages(tenant: string): Promise<void>;
  /** Returns the memory of all corpora that are held, in bytes. */
  usedBytes(): number;
  /** Resolves when nothing is loading, merging or being written. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Options of {@link createSnapshots}. */
export interface SnapshotOptions {
  /** Gets the corpora that could not be loaded. */
  log?: Logger | undefined;
  /** Threads that search; they outlive the snapshots. @default one, which ends with them */
  threads?: SearchThreads | undefined;
  /** Builds segments; it outlives the snapshots. @default one, which ends with them */
  builder?: Builder | undefined;
  /** How images are made; `undefined`: none are written. */
  images?: ImageOptions | undefined;
}

/** Images of corpora in files, see `images/`. */
export interface ImageOptions {
  newId(): string;
  /** Fewest rows of a corpus with an image. @default 4096: fewer are read from the store in a third of a second */
  minRows?: number | undefined;
  /** @default nothing */
  onOutcome?: ((outcome: ImageOutcome) => void) | undefined;
}

/** Changes that may wait for a load. */
const maxMissed = 10_000;
/** See {@link ImageOptions}. */
const defaultMinRows = 4096;

/** Creates the snapshots. They use at most `maxBytes`, and more for the time of a merge; 0: none. */
export function createSnapshots(maxBytes: number, options: SnapshotOptions = {}): Snapshots {
  const { log } = options;
  const threads = options.threads ?? createSearchThreads(1);
  const builder = options.builder ?? createBuilder();
  const locks = createNamedLocks();
  const registry = createSnapshotRegistry(maxBytes, threads);
  const running = new Set<Promise<void>>();
  let isClosed = false;
  let noteFirstUse: (target: SnapshotTarget) => void = () => {};
  let startup: Promise<readonly string[]> = Promise.resolve([]);
  let records: ImageRecords | undefined;
  const isOff = () => maxBytes === 0 || isClosed;
  const hold = (segment: Segment) => holdSegment(threads.newSegmentId(), segment);
  const inBackground = (work: Promise<void>): Promise<void> => {
    const tracked = work.finally(() => running.delete(tracked));
    running.add(tracked);
    return tracked;
  };

  const merges = createMerges({ registry, builder, threads, hold, log });
  const { newId = () => '', minRows = defaultMinRows, onOutcome = () => {} } = options.images ?? {};
  const recordsOf = () => (options.images === undefined ? undefined : records);
  const images = createImages({
    ...{ registry, builder, merges, locks, records: recordsOf, newId, maxBytes, minRows, onOutcome, log },
  });
  const tend = (entry: SnapshotEntry) => void inBackground(merges.merge(entry).then(() => images.keep(entry)));
  const loads = createLoads({
    ...{ registry, builder, threads, locks, hold, maxBytes, log, onImage: onOutcome, onLoaded: tend },
  });
  const load = (target: SnapshotTarget, limit?: number) => inBackground(loads.load(target, limit));

  const addedTo = async (entry: SnapshotEntry, version: number, added: AddedRows): Promise<HeldSegment | undefined> =>
    added.rows.length > 0 && added.space === entry.target.space
      ? hold(await builder.add(added.rows, version, added.dimensions))
      : undefined;
  const makeChange = (entry: SnapshotEntry, change: Change<IndexRow>, added: HeldSegment | undefined) => {
    if (entry.isReleased || entry.state === 'waiting') return;
    if (entry.state === 'loading' && entry.missed.length < maxMissed) {
      entry.missed.push({ change, added });
    } else if (entry.state === 'ready') {
      threads.detach(changeSnapshot(entry.snapshot, change, added));
      registry.makeRoom();
      tend(entry);
    } else {
      // What could not be loaded may fit or succeed now; a load that has missed too much begins again at the next search.
      registry.release(entry);
    }
  };

  return {
    search(wanted, query, signal) {
      if (isOff() || wanted.length === 0) return undefined;
      const entries = wanted.map(({ target }) => registry.find(target));
      for (const [index, entry] of entries.entries()) {
        if (entry === undefined) void load((wanted[index] as (typeof wanted)[number]).target);
        else registry.touch(entry);
      }
      const ready = entries.filter((entry) => entry?.state === 'ready') as SnapshotEntry[];
      if (ready.length < wanted.length) return undefined;
      for (const entry of ready) {
        if (!entry.isUsed) noteFirstUse(entry.target);
        entry.isUsed = true;
      }
      const targets = ready.flatMap(({ snapshot }, index) =>
        snapshot.segments.map((shared) => ({ shared, version: wanted[index]?.version as number })),
      );
      const found = targets.length === 0 ? Promise.resolve([]) : threads.search(targets, query);
      return found && within(() => found, { signals: [signal] });
    },
    async during(tenant, corpusId, change, added, write) {
      if (isOff()) return write();
      return locks.run(corpusLock(tenant, corpusId), async () => {
        const entries = registry.ofCorpus(tenant, corpusId).filter(({ state }) => state !== 'waiting');
        // The new rows are prepared while the store writes them.
        const version = change.kind === 'replace' ? change.version : 0;
        const prepared = Promise.allSettled(
          entries.map((entry) => (added === undefined ? undefined : addedTo(entry, version, added))),
        );
        const [written] = await Promise.allSettled([write(), prepared]);
        for (const [index, result] of (await prepared).entries()) {
          const entry = entries[index] as SnapshotEntry;
          // After a failure it is not known what the store has: its rows are loaded again.
          if (written.status === 'rejected' || result.status === 'rejected') registry.release(entry);
          else makeChange(entry, change, result.value);
        }
        if (written.status === 'rejected') throw written.reason;
        return written.value;
      });
    },
    async prepare(targets, signal) {
      if (!isOff()) await within(() => Promise.all(targets.map((target) => load(target))), { signals: [signal] });
    },
    start(targets, given, onFirstUse) {
      noteFirstUse = onFirstUse;
      records = given;
      if (isOff()) return;
      const onError = (error: unknown) => {
        if (!isClosed) log?.warn({ event: 'snapshot_failed', err: error }, 'snapshots not loaded');
      };
      startup = loadAll(targets, { registry, load, isOff, onError });
      void inBackground(startup.then(() => {}));
    },
    started: () => startup,
    async dropImages(tenant) {
      await images.drop(tenant);
      for (const entry of registry.all()) if (entry.target.tenant === tenant && entry.state === 'ready') tend(entry);
    },
    usedBytes: registry.usedBytes,
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
    async close() {
      isClosed = true;
      loads.stop();
      merges.stop();
      await images.stop();
      for (const entry of registry.all()) registry.release(entry);
      // What a shared builder still does ends with it, and its result is dropped.
      if (options.builder === undefined) {
        await builder.close();
        await Promise.allSettled(running);
      }
      if (options.threads === undefined) await threads.close();
    },
  };
}
