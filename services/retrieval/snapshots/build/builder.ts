import { createWorkerRpc, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import type { Segment } from '../segment.ts';
import type { BuildReply, BuildRequest, Loaded, RowSources, SnapshotRow } from './protocol.ts';
import type { SnapshotSource } from './source.ts';

/** Builds segments in threads: one for loads and large merges, which take seconds, and one for changes, which wait for no load. */
export interface Builder {
  /**
   * Reads the rows of a corpus, from its image if there is one. `begin` runs the step after which changes of the database are no longer in the result. Resolves to
   * `undefined` if the corpus needs more than `maxBytes`. Loads run one after another.
   */
  load(
    source: SnapshotSource,
    maxBytes: number,
    begin: (open: () => Promise<void>) => Promise<void>,
  ): Promise<Loaded | undefined>;
  /** Makes a segment of new rows of a version. `dimensions`: of their vectors; `undefined`: they have words. */
  add(rows: readonly SnapshotRow[], version: number, dimensions: number | undefined): Promise<Segment>;
  /** Makes one segment of several. */
  merge(segments: readonly Segment[]): Promise<{ segment: Segment; sources: RowSources }>;
  /**
   * Begins an image of segments, which takes seconds if they are large, within `maxBytes` for all images of the store. The function that is returned
   * completes it with later segments; until then a load does not use it.
   */
  beginImage(
    source: SnapshotSource,
    imageId: string,
    segments: readonly Segment[],
    maxBytes: number,
  ): Promise<(later: readonly Segment[]) => Promise<void>>;
  /** Removes the images of a corpus except for one, or all of a tenant, which is given by the path of its database. */
  removeImages(of: SnapshotSource | string, except?: string): Promise<void>;
  close(): Promise<void>;
}

type BuildThread = WorkerRpc<BuildRequest, BuildReply>;

/** Requests that may wait for a thread. */
const maxPending = 10_000;
/** Rows of a merge that is as short as a change. */
const smallMergeRows = 4096;
/** Time after which an idle thread ends; long work leaves much memory behind. */
const idleMs = 2_000;

/** Creates the builder; its threads start when they are needed. */
export function createBuilder(): Builder {
  const file = new URL('./build-worker.ts', import.meta.url);
  const start = (name: string): BuildThread => createWorkerRpc({ file, name, maxPending, restarts: true, idleMs });
  const changes = start('snapshot changes');
  const loads = start('snapshot loads');
  let tail: Promise<unknown> = Promise.resolve();
  const segmentOf = ({ segment }: BuildReply): Segment => {
    if (segment === undefined) throw new Error('a thread built no segment');
    return segment;
  };
  return {
    load(source, maxBytes, begin) {
      const result = tail.then(async () => {
        await begin(async () => void (await loads.call({ kind: 'begin', source })));
        return (await loads.call({ kind: 'load', maxBytes })).loaded;
      });
      tail = result.catch(() => {});
      return result;
    },
    add: async (rows, version, dimensions) => segmentOf(await changes.call({ kind: 'add', version, rows, dimensions })),
    async merge(segments) {
      const rowCount = segments.reduce((sum, { rows }) => sum + rows.keys.length, 0);
      const request: BuildRequest = { kind: 'merge', segments };
      const reply = await (rowCount <= smallMergeRows ? changes : loads).call(request);
      if (reply.sources === undefined) throw new Error('a merge returned no sources');
      return { segment: segmentOf(reply), sources: reply.sources };
    },
    async beginImage(source, imageId, segments, maxBytes) {
      const { parts } = await loads.call({ kind: 'begin-image', source, imageId, segments, maxBytes });
      if (parts === undefined) throw new Error('a thread wrote no image');
      return async (later) => void (await changes.call({ kind: 'end-image', source, imageId, parts, segments: later }));
    },
    async removeImages(of, except) {
      await changes.call({ kind: 'remove-images', of, except });
    },
    async close() {
      await Promise.all([changes.close(), loads.close()]);
    },
  };
}
