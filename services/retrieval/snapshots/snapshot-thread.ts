import { Worker } from 'node:worker_threads';
import type { SnapshotReply, SnapshotRequest } from './protocol.ts';

type Body = SnapshotRequest extends infer R ? (R extends SnapshotRequest ? Omit<R, 'id'> : never) : never;
type Done = Extract<SnapshotReply, { ok: true }>;

/** A thread that holds snapshots and searches them, one request after another. */
export interface SnapshotThread {
  /** Rejects where the request fails or the thread ends. */
  send(body: Body): Promise<Done>;
  /** Requests that are not answered yet. */
  readonly pendingCount: number;
  close(): Promise<void>;
}

/** Starts the thread. `onEnd` hears of an end that nobody asked for: what it held is gone. */
export function createSnapshotThread(onEnd: (error: Error) => void): SnapshotThread {
  const worker = new Worker(new URL('./snapshot-worker.ts', import.meta.url), { execArgv: [], name: 'snapshots' });
  const pending = new Map<number, { resolve: (done: Done) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let isOver = false;
  const end = (error: Error) => {
    if (isOver) return;
    isOver = true;
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    onEnd(error);
  };
  worker.on('message', (reply: SnapshotReply) => {
    const waiter = pending.get(reply.id);
    pending.delete(reply.id);
    // A reply that comes while the thread is closing must not release the process: `close` waits for the thread's end.
    if (pending.size === 0 && !isOver) worker.unref();
    if (reply.ok) waiter?.resolve(reply);
    else waiter?.reject(new Error(reply.message));
  });
  worker.on('error', (error) => end(error as Error));
  worker.on('exit', () => end(new Error('the snapshot thread has ended')));
  worker.unref();
  return {
    send: (body) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(new Error('the snapshot thread has ended'));
        const id = ++lastId;
        pending.set(id, { resolve, reject });
        worker.ref();
        worker.postMessage({ ...body, id });
      }),
    get pendingCount() {
      return pending.size;
    },
    async close() {
      isOver = true;
      for (const { reject } of pending.values()) reject(new Error('the snapshot thread is closed'));
      pending.clear();
      await worker.terminate();
    },
  };
}
