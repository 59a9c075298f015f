import { Worker } from 'node:worker_threads';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, unavailable } from '#kit/errors.ts';
import type { HashJob, HashReply } from './hash-worker.ts';

/** Threads that hash, so that a large batch does not hold up the event loop. */
export interface HashPool {
  /** Rejects with the signal's reason where it aborts first, and with RESOURCE_EXHAUSTED where too many batches wait. */
  run(job: HashJob, signal: AbortSignal): Promise<HashReply>;
  close(): Promise<void>;
}

/** Batches that may wait for a thread. */
const maxWaiting = 1024;

interface Task {
  job: HashJob;
  resolve(reply: HashReply): void;
  reject(reason: unknown): void;
  signal: AbortSignal;
  onAbort(): void;
}

/** Creates a pool of up to `threadCount` threads, each started when first needed. */
export function createHashPool(threadCount: number): HashPool {
  const waiting: Task[] = [];
  const idle: Worker[] = [];
  const busy = new Map<Worker, Task>();
  let closed = false;

  const settle = (worker: Worker): Task | undefined => {
    const task = busy.get(worker);
    busy.delete(worker);
    task?.signal.removeEventListener('abort', task.onAbort);
    return task;
  };
  const start = (): Worker => {
    const worker = new Worker(new URL('./hash-worker.ts', import.meta.url), { execArgv: [], name: 'hashing' });
    worker.on('message', (reply: HashReply) => {
      const task = settle(worker);
      // An idle thread must not keep the process alive.
      worker.unref();
      idle.push(worker);
      task?.resolve(reply);
      dispatch();
    });
    const lose = (cause: unknown) => {
      const at = idle.indexOf(worker);
      if (at !== -1) idle.splice(at, 1);
      settle(worker)?.reject(unavailable('hashing', 'a thread that hashes has ended; try again', cause));
      if (!closed) dispatch();
    };
    worker.on('error', lose);
    worker.on('exit', lose);
    return worker;
  };
  const dispatch = () => {
    while (waiting.length > 0 && (idle.length > 0 || busy.size < threadCount)) {
      const task = waiting.shift() as Task;
      const worker = idle.pop() ?? start();
      busy.set(worker, task);
      worker.ref();
      worker.postMessage(task.job);
    }
  };

  return {
    run: (job, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (closed) return reject(unavailable('hashing', 'the embedding service is closing'));
        if (waiting.length >= maxWaiting) {
          const message = `${maxWaiting} batches wait to be embedded`;
          return reject(rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 1000 }));
        }
        const task: Task = {
          job,
          resolve,
          reject,
          signal,
          // A batch that a thread has begun is finished and thrown away: it is short.
          onAbort() {
            const at = waiting.indexOf(task);
            if (at !== -1) waiting.splice(at, 1);
            reject(signal.reason);
          },
        };
        signal.addEventListener('abort', task.onAbort, { once: true });
        waiting.push(task);
        dispatch();
      }),
    async close() {
      closed = true;
      for (const task of waiting.splice(0)) task.reject(unavailable('hashing', 'the embedding service is closing'));
      await Promise.all([...idle, ...busy.keys()].map((worker) => worker.terminate()));
    },
  };
}
