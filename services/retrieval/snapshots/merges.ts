import type { Logger } from '#kit/base/log.ts';
import type { Builder } from './build/builder.ts';
import type { SnapshotEntry, SnapshotRegistry } from './registry.ts';
import type { SearchThreads } from './search/search-threads.ts';
import type { Segment } from './segment.ts';
import { type HeldSegment, replaceMerged, segmentsToMerge } from './snapshot.ts';

/** What {@link createMerges} needs. */
export interface MergeDeps {
  registry: SnapshotRegistry;
  builder: Builder;
  threads: SearchThreads;
  hold(segment: Segment): HeldSegment;
  log: Logger | undefined;
}

/** Merges of segments. The segments serve until the one that they become is there. */
export interface Merges {
  /** Merges segments of a snapshot as long as there are some to merge; never rejects. */
  merge(entry: SnapshotEntry): Promise<void>;
  /** Makes one segment of some of a snapshot, for a caller that has set `isMerging`. */
  join(entry: SnapshotEntry, chosen: readonly HeldSegment[]): Promise<void>;
  /** Ends the reports of merges that fail because everything closes. */
  stop(): void;
}

/** Creates the merges. */
export function createMerges({ registry, builder, threads, hold, log }: MergeDeps): Merges {
  let isStopped = false;
  const join = async (entry: SnapshotEntry, chosen: readonly HeldSegment[]): Promise<void> => {
    const { segment, sources } = await builder.merge(chosen.map((held) => held.segment));
    if (entry.isReleased) return;
    replaceMerged(entry.snapshot, chosen, hold(segment), sources);
    threads.detach(chosen.map(({ segmentId }) => segmentId));
    registry.makeRoom();
  };
  const mergeAll = async (entry: SnapshotEntry): Promise<void> => {
    while (!entry.isReleased) {
      const chosen = segmentsToMerge(entry.snapshot);
      if (chosen.length === 0) return;
      await join(entry, chosen);
    }
  };
  return {
    join,
    async merge(entry) {
      if (entry.isMerging) return;
      entry.isMerging = true;
      try {
        await mergeAll(entry);
      } catch (error) {
        // The segments serve as they are; the next change tries again.
        const { corpusId } = entry.target.source;
        if (!isStopped) log?.warn({ event: 'snapshot_merge_failed', corpusId, err: error }, 'snapshot not merged');
      } finally {
        entry.isMerging = false;
      }
    },
    stop() {
      isStopped = true;
    },
  };
}
