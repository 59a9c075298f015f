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
/** Time after which the thread of loads ends. */
const idleMs = 10_000;

/** Creates the builder; its threads start when they are needed. */
export function createBuilder(): Builder {
  const file = new URL('./build-worker.ts', import.meta.url);
  const start = (name: string): BuildThread => createWorkerRpc({ file, name, maxPending, restarts: true });
  const changes = start('snapshot changes');
  let loads = start('snapshot loads');
  let longCount = 0;
  let tail: Promise<unknown> = Promise.resolve();
  let idling: NodeJS.Timeout | undefined;

  // Long work leaves much memory behind, so its thread ends when there is no more of it.
  const inLoads = async <T>(work: (thread: BuildThread) => Promise<T>): Promise<T> => {
    clearTimeout(idling);
    longCount++;
    try {
      return await work(loads);
    } finally {
      if (--longCount === 0) idling = setTimeout(restartLoads, idleMs).unref();
    }
  };
  const restartLoads = () => {
    void loads.close();
    loads = start('snapshot loads');
  };
  const segmentOf = ({ segment }: BuildReply): Segment => {
    if (segment === undefined) throw new Error('a thread built no segment');
    return segment;
  };
  return {
    load(source, maxBytes, begin) {
      const result = tail.then(() =>
        inLoads(async (thread) => {
          await begin(async () => void (await thread.call({ kind: 'begin', source })));
          return (await thread.call({ kind: 'load', maxBytes })).segment;
        }),
      );
      tail = result.catch(() => {});
      return result;
    },
    add: async (rows, version, dimensions) => segmentOf(await changes.call({ kind: 'add', version, rows, dimensions })),
    async merge(segments) {
      const rowCount = segments.reduce((sum, { rows }) => sum + rows.keys.length, 0);
      const request: BuildRequest = { kind: 'merge', segments };
      const reply = await (rowCount <= smallMergeRows
        ? changes.call(request)
        : inLoads((thread) => thread.call(request)));
      if (reply.sources === undefined) throw new Error('a merge returned no sources');
      return { segment: segmentOf(reply), sources: reply.sources };
    },
    async close() {
      await Promise.all([changes.close(), loads.close()]);
      clearTimeout(idling);
    },
  };
}
