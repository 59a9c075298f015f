import type { Logger } from '#kit/base/log.ts';
import type { Builder } from '../build/builder.ts';
import { corpusLock } from '../loads.ts';
import type { Merges } from '../merges.ts';
import type { NamedLocks } from '../named-locks.ts';
import type { SnapshotEntry, SnapshotRegistry } from '../registry.ts';
import { rowCountOf } from '../snapshot.ts';
import { imageKind } from './image-name.ts';

/**
 * The records of images in the databases of their corpora. A load uses an image only if its corpus has the record of it. From the record on the
 * database has what rows that come later are searched by, so that they can be added to the image.
 */
export interface ImageRecords {
  /** Makes an image with rows up to `lastKey` that of its corpus. Runs while nothing changes the corpus. */
  record(tenant: string, corpusId: number, kind: string, imageId: string, lastKey: number): Promise<void>;
  /** Removes the records of all images of a tenant. */
  forget(tenant: string): Promise<void>;
  /** Returns the path of the tenant's database. */
  path(tenant: string): string;
}

/** What happened to an image: used by a load, not there, unusable and made again, written, or not written because of an error. */
export type ImageOutcome = 'used' | 'none' | 'unusable' | 'written' | 'failed';

/** What {@link createImages} needs. */
export interface ImageDeps {
  registry: SnapshotRegistry;
  builder: Builder;
  merges: Merges;
  /** Locks of corpora, see LoadDeps. */
  locks: NamedLocks;
  /** `undefined`: no images are written. */
  records(): ImageRecords | undefined;
  newId(): string;
  /** Most bytes of all images of the store. */
  maxBytes: number;
  /** Corpora with fewer rows have no image: they load as fast without one. */
  minRows: number;
  onOutcome(outcome: ImageOutcome): void;
  log: Logger | undefined;
}

/** Images of corpora in files, so that a start does not build them again. */
export interface Images {
  /** Writes a new image of a corpus if it has none, or one that lacks many of its changes; never rejects. */
  keep(entry: SnapshotEntry): Promise<void>;
  /** Removes all images of a tenant, and resolves when nothing of them is left in a file. Later ones have no row that is deleted now. */
  drop(tenant: string): Promise<void>;
  /** Cancels what is being written, and resolves when none of it uses the store. */
  stop(): Promise<void>;
}

interface Job {
  entry: SnapshotEntry;
  isCancelled: boolean;
  done: Promise<void>;
}

/** A new image is written when more than this share of the rows of the last one has changed. */
const maxChanged = 0.25;

/** Creates the images. */
export function createImages(deps: ImageDeps): Images {
  const { registry, builder, merges, locks } = deps;
  const jobs = new Map<SnapshotEntry, Job>();
  const dropping = new Set<string>();
  const ending = new Set<Promise<void>>();
  // Each attempt would write the whole file again, perhaps on a full disk.
  const failed = new WeakSet<SnapshotEntry>();
  let isStopped = false;

  const isDue = (entry: SnapshotEntry): boolean => {
    const { image, snapshot } = entry;
    if (failed.has(entry) || rowCountOf(snapshot) < deps.minRows) return false;
    return image === undefined || snapshot.changedCount > image.rowCount * maxChanged;
  };

  const write = async (job: Job, records: ImageRecords): Promise<void> => {
    const { entry } = job;
    const { snapshot, target } = entry;
    const { tenant, source } = target;
    const isOver = () => isStopped || job.isCancelled || entry.isReleased || entry.state !== 'ready';
    // Deleted rows must not come into the file: a purge has removed them from the store.
    const stale = snapshot.segments.filter(({ deletedCount }) => deletedCount > 0);
    if (stale.length > 0) await merges.join(entry, stale);
    if (isOver() || snapshot.segments.length === 0) return;
    const imageId = deps.newId();
    const held = [...snapshot.segments];
    const end = await builder.beginImage(
      source,
      imageId,
      held.map(({ segment }) => segment),
      deps.maxBytes,
    );
    const complete = async () => {
      if (isOver()) return;
      const later = snapshot.segments.filter((one) => !held.includes(one));
      await end(later.map(({ segment }) => segment));
      const lastKey = Math.max(...[...held, ...later].map(({ segment }) => segment.rows.keys.at(-1) ?? 0));
      await records.record(tenant, source.corpusId, imageKind(source), imageId, lastKey);
      entry.image = { imageId, rowCount: rowCountOf(snapshot) };
      snapshot.changedCount = 0;
      deps.onOutcome('written');
    };
    const completed = locks.run(corpusLock(tenant, source.corpusId), complete).finally(() => ending.delete(completed));
    ending.add(completed);
    await completed;
  };
  const run = async (job: Job, records: ImageRecords): Promise<void> => {
    const { entry } = job;
    const { source } = entry.target;
    try {
      try {
        await write(job, records);
      } finally {
        // Those of earlier times, or a new one that was not completed.
        if (!isStopped && !entry.isReleased) await builder.removeImages(source, entry.image?.imageId);
      }
    } catch (error) {
      // The next start reads the store itself, and tries again.
      failed.add(entry);
      if (isStopped) return;
      deps.onOutcome('failed');
      const fields = { event: 'snapshot_image_failed', corpusId: source.corpusId, err: error };
      deps.log?.warn(fields, 'snapshot image not written');
    } finally {
      jobs.delete(entry);
      entry.isMerging = false;
    }
  };

  return {
    async keep(entry) {
      const records = deps.records();
      const { tenant } = entry.target;
      if (records === undefined || entry.isMerging || dropping.has(tenant) || !isDue(entry)) return;
      // The segments of the image stay as they are while it is written.
      entry.isMerging = true;
      const job: Job = { entry, isCancelled: false, done: Promise.resolve() };
      jobs.set(entry, job);
      job.done = run(job, records);
      await job.done;
      await merges.merge(entry);
    },
    async drop(tenant) {
      const records = deps.records();
      if (records === undefined) return;
      dropping.add(tenant);
      try {
        const ofTenant = [...jobs.values()].filter(({ entry }) => entry.target.tenant === tenant);
        for (const job of ofTenant) job.isCancelled = true;
        await Promise.all(ofTenant.map(({ done }) => done));
        await records.forget(tenant);
        await builder.removeImages(records.path(tenant));
        for (const entry of registry.all()) if (entry.target.tenant === tenant) entry.image = undefined;
      } finally {
        dropping.delete(tenant);
      }
    },
    async stop() {
      isStopped = true;
      await Promise.allSettled(ending);
    },
  };
}
