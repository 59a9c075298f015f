import { createWorkerRpc, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import type { Segment } from '../segment.ts';
import type { BuildReply, BuildRequest, RowSources, SnapshotRow, SnapshotSource } from './protocol.ts';

/** Builds segments in threads: one for loads and large merges, which take seconds, and one for changes, which wait for no load. */
export interface Builder {
  /**
   * Reads the rows of a corpus. `begin` runs the step after which changes of the database are no longer in the result. Resolves to
   * `undefined` if the corpus needs more than `maxBytes`. Loads run one after another.
   */
  load(
    source: SnapshotSource,
    maxBytes: number,
    begin: (open: () => Promise<void>) => Promise<void>,
  ): Promise<Segment | undefined>;
  /** Makes a segment of new rows of a version. `dimensions`: of their vectors; `undefined`: they have words. */
  add(rows: readonly SnapshotRow[], version: number, dimensions: number | undefined): Promise<Segment>;
  /** Makes one segment of several. */
  merge(segments: readonly Segment[]): Promise<{ segment: Segment; sources: RowSources }>;
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
        return (await loads.call({ kind: 'load', maxBytes })).segment;
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
    async close() {
      await Promise.all([changes.close(), loads.close()]);
    },
  };
}
