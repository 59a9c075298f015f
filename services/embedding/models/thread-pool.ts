import { Worker } from 'node:worker_threads';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';

/** Threads that embed, so that a large batch does not hold up the event loop. */
export interface ThreadPool<Job, Reply> {
  /** Rejects with the signal's reason where it aborts first, and with RESOURCE_EXHAUSTED where too many batches wait. */
  run(job: Job, signal: AbortSignal): Promise<Reply>;
  close(): Promise<void>;
}

/** What the threads are. */
export interface ThreadPoolOptions {
  /** The program; it answers each message by one. */
  file: URL;
  /** For errors, and in debuggers. */
  name: string;
  /** Most threads, each started when first needed. */
  threadCount: number;
  /** Handed to each thread. */
  workerData?: unknown;
  /** Whether what a thread prints is thrown away, because it may hold texts. @default false */
  silent?: boolean;
}

/** Batches that may wait for a thread. */
const maxWaiting = 1024;

interface Task<Job, Reply> {
  job: Job;
  resolve(reply: Reply): void;
  reject(reason: unknown): void;
  signal: AbortSignal;
  onAbort(): void;
}

/** Creates a pool. */
export function createThreadPool<Job, Reply>(options: ThreadPoolOptions): ThreadPool<Job, Reply> {
  const { file, name, threadCount, workerData, silent = false } = options;
  const waiting: Task<Job, Reply>[] = [];
  const idle: Worker[] = [];
  const busy = new Map<Worker, Task<Job, Reply>>();
  let closed = false;

  const settle = (worker: Worker): Task<Job, Reply> | undefined => {
    const task = busy.get(worker);
    busy.delete(worker);
    task?.signal.removeEventListener('abort', task.onAbort);
    return task;
  };
  const start = (): Worker => {
    const worker = new Worker(file, { execArgv: [], name, workerData, stdout: silent, stderr: silent });
    if (silent) for (const stream of [worker.stdout, worker.stderr]) stream.resume();
    worker.on('message', (reply: Reply) => {
      const task = settle(worker);
      // An idle thread must not keep the process alive; one that is closing must, because `close` waits for its end.
      if (!closed) worker.unref();
      idle.push(worker);
      task?.resolve(reply);
      dispatch();
    });
    const lose = (cause: unknown) => {
      const at = idle.indexOf(worker);
      if (at !== -1) idle.splice(at, 1);
      settle(worker)?.reject(unavailable(name, `a thread of ${name} has ended; try again`, cause));
      if (!closed) dispatch();
    };
    worker.on('error', lose);
    worker.on('exit', lose);
    return worker;
  };
  const dispatch = () => {
    while (waiting.length > 0 && (idle.length > 0 || busy.size < threadCount)) {
      const task = waiting.shift() as Task<Job, Reply>;
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
        if (closed) return reject(unavailable(name, 'the embedding service is closing'));
        if (waiting.length >= maxWaiting) {
          const message = `${maxWaiting} batches wait to be embedded`;
          return reject(rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 1000 }));
        }
        const task: Task<Job, Reply> = {
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
      for (const task of waiting.splice(0)) task.reject(unavailable(name, 'the embedding service is closing'));
      await Promise.all([...idle, ...busy.keys()].map((worker) => worker.terminate()));
    },
  };
}
