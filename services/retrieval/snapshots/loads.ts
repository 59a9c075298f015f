import type { Logger } from '#kit/base/log.ts';
import type { Builder } from './build/builder.ts';
import type { ImageUse } from './build/protocol.ts';
import type { NamedLocks } from './named-locks.ts';
import type { SnapshotEntry, SnapshotRegistry, SnapshotTarget } from './registry.ts';
import type { SearchThreads } from './search/search-threads.ts';
import type { Segment } from './segment.ts';
import { changeSnapshot, type HeldSegment } from './snapshot.ts';

/** What {@link createLoads} needs. */
export interface LoadDeps {
  registry: SnapshotRegistry;
  builder: Builder;
  threads: SearchThreads;
  /** Locks of corpora: a change and the steps of a load that touch it run one after another. */
  locks: NamedLocks;
  hold(segment: Segment): HeldSegment;
  /** Largest size of a snapshot. */
  maxBytes: number;
  log: Logger | undefined;
  /** Runs when a load has read the rows, with what it had of an image. */
  onImage(kind: ImageUse['kind']): void;
  /** Runs after a load has ended well. */
  onLoaded(entry: SnapshotEntry): void;
}

/** Loads of corpora into memory. */
export interface Loads {
  /** Loads a corpus, unless it is in memory, loading, or cannot be loaded. Resolves when that is decided; never rejects. */
  load(target: SnapshotTarget, maxBytes?: number): Promise<void>;
  /** Ends the reports of loads that fail because everything closes. */
  stop(): void;
}

/** Returns the name of a corpus's lock. */
export function corpusLock(tenant: string, corpusId: number): string {
  return JSON.stringify([tenant, corpusId]);
}

/** Creates the loads. */
export function createLoads(deps: LoadDeps): Loads {
  const { registry, builder, threads, locks, hold, log } = deps;
  const loading = new Map<SnapshotEntry, Promise<void>>();
  let isStopped = false;

  const run = async (entry: SnapshotEntry, maxBytes: number): Promise<void> => {
    const { tenant, source } = entry.target;
    const lock = corpusLock(tenant, source.corpusId);
    const loaded = await builder.load(source, maxBytes, (open) =>
      locks.run(lock, async () => {
        await open();
        if (entry.state === 'waiting') entry.state = 'loading';
      }),
    );
    // SQLite answers until the threads are there: a search never waits for their start.
    await threads.warm();
    await locks.run(lock, async () => {
      if (entry.isReleased) return;
      if (loaded === undefined) {
        entry.state = 'too-large';
        return;
      }
      noteImage(entry, loaded.image);
      for (const held of loaded.segments.map(hold)) {
        if (held.deletedCount < held.segment.rows.keys.length) entry.snapshot.segments.push(held);
      }
      for (const { change, added } of entry.missed.splice(0)) changeSnapshot(entry.snapshot, change, added);
      entry.state = 'ready';
      registry.makeRoom();
      deps.onLoaded(entry);
    });
  };
  const noteImage = (entry: SnapshotEntry, image: ImageUse): void => {
    deps.onImage(image.kind);
    if (image.kind === 'used') {
      const { imageId, rowCount, changedCount } = image;
      entry.image = { imageId, rowCount };
      entry.snapshot.changedCount = changedCount;
    } else if (image.kind === 'unusable') {
      const { corpusId } = entry.target.source;
      log?.warn({ event: 'snapshot_image_unusable', corpusId, reason: image.reason }, 'snapshot image not used');
    }
  };
  return {
    async load(target, maxBytes = deps.maxBytes) {
      const known = registry.find(target);
      if (known !== undefined) return loading.get(known);
      const entry = registry.add(target);
      const work = run(entry, maxBytes)
        .catch((error: unknown) => {
          // SQLite answers. The corpus is not loaded again before it changes: it would fail again, or end the thread again.
          entry.state = 'failed';
          const { corpusId } = target.source;
          if (!isStopped) log?.warn({ event: 'snapshot_failed', corpusId, err: error }, 'snapshot not loaded');
        })
        .finally(() => loading.delete(entry));
      loading.set(entry, work);
      return work;
    },
    stop() {
      isStopped = true;
    },
  };
}
