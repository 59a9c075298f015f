import { Worker } from 'node:worker_threads';
import { createChannel } from '#kit/base/streams.ts';
import type { PreparedBatch } from './prepared.ts';
import type { PrepareReply, PrepareRequest, PrepareTask } from './worker-protocol.ts';

/** Threads that prepare uploads. */
export interface PrepareThreads {
  /** Prepares an upload in a thread. Throws where the thread fails, or gives nothing for two minutes, or the signal aborts. */
  prepare(task: PrepareTask, signal: AbortSignal): AsyncIterable<PreparedBatch>;
  close(): Promise<void>;
}

/** Batches that wait between a thread and its job. */
const aheadMax = 3;
/** The largest file takes a fraction of it; beyond, something is wrong with the file. */
const heapMegabytesMax = 1024;
/** The slowest file takes a fraction of it; beyond, a parser is stuck. */
const stallMs = 120_000;
/** Starting a thread costs a quarter of a second, so one that is done waits a while for the next job. */
const idleMs = 30_000;

/** Creates the threads: none until they are needed. */
export function createPrepareThreads(): PrepareThreads {
  const idle = new Map<Worker, NodeJS.Timeout>();
  const ending = new Set<Promise<unknown>>();
  let isClosed = false;

  const end = (worker: Worker) => {
    const ended = worker.terminate().finally(() => ending.delete(ended));
    ending.add(ended);
    return ended;
  };
  const acquire = (): Worker => {
    const [found] = idle;
    if (found === undefined) {
      return new Worker(new URL('./worker.ts', import.meta.url), {
        execArgv: [],
        name: 'prepare',
        resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
      });
    }
    const [worker, timer] = found;
    clearTimeout(timer);
    idle.delete(worker);
    detach(worker);
    worker.ref();
    return worker;
  };
  const release = (worker: Worker) => {
    if (isClosed || idle.size > 0) return void end(worker);
    // A thread that waits must not keep the process alive, nor end it.
    worker.unref();
    worker.on('error', () => {});
    worker.on('exit', () => idle.delete(worker));
    const timer = setTimeout(() => {
      idle.delete(worker);
      void end(worker);
    }, idleMs);
    idle.set(worker, timer.unref());
  };

  return {
    async *prepare(task, signal) {
      signal.throwIfAborted();
      const worker = acquire();
      const batches = createChannel<PreparedBatch>(aheadMax + 1);
      const send = (request: PrepareRequest) => worker.postMessage(request);
      let isDone = false;
      worker.on('message', (reply: PrepareReply) => {
        if (reply.kind === 'batch') return void batches.send(reply.batch);
        isDone = true;
        batches.close(reply.kind === 'failed' ? reply.error : undefined);
      });
      worker.on('error', (error) => batches.close(error));
      worker.on('exit', (code) => batches.close(new Error(`the thread that reads files ended with code ${code}`)));
      const onAbort = () => batches.close(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      let stall: NodeJS.Timeout | undefined;
      const expect = () => {
        const error = new Error(`no document was read for ${stallMs / 1000} seconds: a file is stuck`);
        stall = setTimeout(() => batches.close(error), stallMs);
      };
      try {
        send({ kind: 'task', task });
        for (let count = 0; count < aheadMax; count++) send({ kind: 'next' });
        expect();
        for await (const batch of batches) {
          clearTimeout(stall);
          yield batch;
          send({ kind: 'next' });
          expect();
        }
      } finally {
        clearTimeout(stall);
        signal.removeEventListener('abort', onAbort);
        detach(worker);
        if (isDone) release(worker);
        else await end(worker);
      }
    },

    async close() {
      isClosed = true;
      for (const [worker, timer] of idle) {
        clearTimeout(timer);
        void end(worker);
      }
      idle.clear();
      await Promise.all(ending);
    },
  };
}

// By name: a worker has listeners of its own, without which it can't tell its end.
function detach(worker: Worker): void {
  for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
}
