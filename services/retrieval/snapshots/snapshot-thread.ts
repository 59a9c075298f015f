import { createWorkerRpc, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import type { SnapshotReply, SnapshotRequest } from './protocol.ts';

/** A thread that holds snapshots and searches them. It handles one request after another. */
export type SnapshotThread = WorkerRpc<SnapshotRequest, SnapshotReply>;

/** Requests that may wait for the thread. The calls of the process limit searches to far fewer. */
const maxPending = 100_000;

/** Creates the thread. Calls `onCrash` if the thread ends by itself: its snapshots are lost. */
export function createSnapshotThread(onCrash: (error: Error) => void): SnapshotThread {
  const file = new URL('./snapshot-worker.ts', import.meta.url);
  return createWorkerRpc({ file, name: 'snapshots', maxPending, onCrash });
}
