import { createWorkerRpc, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import type { SnapshotReply, SnapshotRequest } from './protocol.ts';

/** A thread that holds snapshots and searches them, one request after another. */
export type SnapshotThread = WorkerRpc<SnapshotRequest, SnapshotReply>;

/** Requests that may wait for the thread; searches are bounded by the calls of the process long before. */
const maxPending = 100_000;

/** Creates the thread. `onCrash`: runs if the thread ends by itself; its snapshots are lost. */
export function createSnapshotThread(onCrash: (error: Error) => void): SnapshotThread {
  const file = new URL('./snapshot-worker.ts', import.meta.url);
  return createWorkerRpc({ file, name: 'snapshots', maxPending, onCrash });
}
