import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import { createWorkerRpc, type WorkerRpc } from '#kit/base/worker-rpc.ts';

/** Threads that embed, so that a large batch does not block the event loop. */
export interface ThreadPool<Job, Reply> {
  /** Rejects with the signal's reason if it aborts first, with RESOURCE_EXHAUSTED if too many batches wait. */
  run(job: Job, signal: AbortSignal): Promise<Reply>;
  close(): Promise<void>;
}

/** What the threads are. */
export interface ThreadPoolOptions {
  /** The program; it calls `serveCalls`. */
  file: URL;
  /** Name in errors and debuggers. */
  name: string;
  /** Most threads, each started when it is first needed. */
  threadCount: number;
  /** Time without a batch after which a thread ends. @default it stays */
  idleMs?: number;
  /** Passed to each thread. */
  workerData?: unknown;
  /** Whether what a thread prints is dropped, because it may contain texts. @default false */
  isSilent?: boolean;
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

/** Creates a pool. A thread runs one batch at a time; one that ends by itself fails its batch and is replaced with the next one. */
export function createThreadPool<Job, Reply>(options: ThreadPoolOptions): ThreadPool<Job, Reply> {
  const { threadCount, ...worker } = options;
  const { name } = options;
  const waiting: Task<Job, Reply>[] = [];
  const idle: WorkerRpc<Job, Reply>[] = [];
  const all: WorkerRpc<Job, Reply>[] = [];
  let isClosed = false;

  const start = (): WorkerRpc<Job, Reply> => {
    const thread = createWorkerRpc<Job, Reply>({
      ...worker,
      maxPending: 1,
      restarts: true,
      toError({ failure, cause, message }) {
        if (failure === 'failed') return new Error(message);
        return unavailable(name, isClosed ? closingMessage : `a thread of ${name} has ended; try again`, cause);
      },
    });
    all.push(thread);
    return thread;
  };
  const runOn = async (thread: WorkerRpc<Job, Reply>, { job, resolve, reject, signal, onAbort }: Task<Job, Reply>) => {
    const work = thread.call(job);
    await work.then(resolve, reject);
    signal.removeEventListener('abort', onAbort);
    idle.push(thread);
    dispatch();
  };
  const dispatch = () => {
    while (!isClosed && waiting.length > 0 && (idle.length > 0 || all.length < threadCount)) {
      const task = waiting.shift() as Task<Job, Reply>;
      void runOn(idle.pop() ?? start(), task);
    }
  };

  return {
    run: (job, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (isClosed) return reject(unavailable(name, closingMessage));
        if (waiting.length >= maxWaiting) {
          const message = `${maxWaiting} batches wait to be embedded`;
          return reject(rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 1000 }));
        }
        const task: Task<Job, Reply> = {
          job,
          resolve,
          reject,
          signal,
          // A batch that a thread has begun is finished and dropped: it is short.
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
      isClosed = true;
      for (const task of waiting.splice(0)) task.reject(unavailable(name, closingMessage));
      await Promise.all(all.map((thread) => thread.close()));
    },
  };
}

const closingMessage = 'the embedding service is closing';
