import type { MessagePort } from 'node:worker_threads';
import { within } from '#kit/base/within.ts';
import { createWorkerRpc, type WorkerError, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import { UploadBytesError } from '../uploads/file-reader.ts';
import { damaged, type StagedUpload } from '../uploads/uploads.ts';
import { serveBytes } from './bytes-port.ts';
import type { ParseLimits, PreparedBatch, PrepareOptions } from './prepared.ts';
import type { PrepareReply, PrepareRequest } from './worker-protocol.ts';

/** Threads that prepare uploads. */
export interface PrepareThreads {
  /** Prepares an upload in a thread. Throws if the thread fails, or returns nothing for too long, or the signal aborts. */
  prepare(task: UploadTask, signal: AbortSignal): AsyncIterable<PreparedBatch>;
  close(): Promise<void>;
}

/** An upload to prepare. */
export interface UploadTask {
  upload: StagedUpload;
  options: PrepareOptions;
}

/** Batches that a thread prepares before they are needed. */
const aheadMax = 3;
/** The largest file takes a fraction of it; beyond, something is wrong with the file. */
const heapMegabytesMax = 1024;
/** What a thread allocates before a collection. V8 would let it grow to 96 MB and keep it; 24 MB cost the same CPU. */
const youngMegabytesMax = 24;
/** Time beyond that of a parser in a child process; the slowest file of the others takes a fraction of it. */
const stallMs = 120_000;
/** Time for a thread to end its child process. */
const endMs = 500;
/** Starting a thread costs up to a quarter of a second, so an idle one waits for the next job of a series. */
const idleMs = 2_000;

type PrepareThread = WorkerRpc<PrepareRequest, PrepareReply>;

/** Creates the threads: none until they are needed. `limits` are of the child processes of parsers, at most one for each thread. */
export function createPrepareThreads(limits: ParseLimits): PrepareThreads {
  const idle = new Map<PrepareThread, NodeJS.Timeout>();
  const ending = new Set<Promise<unknown>>();
  let isClosed = false;

  const end = (thread: PrepareThread) => {
    clearTimeout(idle.get(thread));
    idle.delete(thread);
    const ended = endChild(thread)
      .then(() => thread.close())
      .finally(() => ending.delete(ended));
    ending.add(ended);
    return ended;
  };
  const start = (): PrepareThread => {
    const thread: PrepareThread = createWorkerRpc({
      file: new URL('./worker.ts', import.meta.url),
      name: 'prepare',
      maxPending: aheadMax + 2,
      workerData: limits,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax, maxYoungGenerationSizeMb: youngMegabytesMax },
      onCrash: () => void end(thread),
      toError: toPrepareError,
    });
    return thread;
  };
  const acquire = (): PrepareThread => {
    const [found] = idle;
    if (found === undefined) return start();
    const [thread, timer] = found;
    clearTimeout(timer);
    idle.delete(thread);
    return thread;
  };
  const release = (thread: PrepareThread) => {
    if (isClosed || idle.size > 0) return void end(thread);
    idle.set(thread, setTimeout(() => void end(thread), idleMs).unref());
  };

  return {
    async *prepare({ upload, options }, signal) {
      signal.throwIfAborted();
      const thread = acquire();
      const bytes = serveBytes((offset, sizeBytes) => upload.read(offset, sizeBytes, signal));
      const ahead: Promise<PrepareReply>[] = [];
      const request = (body: PrepareRequest, ...moved: MessagePort[]) => {
        const reply = thread.call(body, moved);
        // It is awaited below in its turn; until then a failure is not an unhandled one.
        reply.catch(() => {});
        ahead.push(reply);
      };
      const receive = () =>
        within(() => ahead.shift() as Promise<PrepareReply>, {
          timeoutMs: limits.stallMs + stallMs,
          signals: [signal],
          toTimeoutError: (ms) => new Error(`no document was read for ${ms / 1000} seconds: a file is stuck`),
        });
      let isDone = false;
      try {
        request({ kind: 'begin', task: { files: upload.files, bytes: bytes.port, options } }, bytes.port);
        for (let count = 0; count < aheadMax; count++) request({ kind: 'next' });
        await receive();
        for (let batch = await receive(); batch !== undefined; batch = await receive()) {
          yield batch;
          request({ kind: 'next' });
        }
        await Promise.all(ahead);
        isDone = true;
      } catch (error) {
        throw bytes.failure() ?? error;
      } finally {
        bytes.close();
        if (isDone) release(thread);
        else await end(thread);
      }
    },

    async close() {
      isClosed = true;
      for (const thread of [...idle.keys()]) void end(thread);
      await Promise.all(ending);
    },
  };
}

/** Lets the thread end its child process, so that the system can forget it; a thread that is stuck is ended without. */
async function endChild(thread: PrepareThread): Promise<void> {
  if (!thread.isRunning) return;
  await within(() => thread.call({ kind: 'end' }), { timeoutMs: endMs }).catch(() => {});
}

/** Returns what has ended a thread (memory, or a bug), or what the thread says of the bytes. */
function toPrepareError(error: WorkerError): Error {
  if (error.fields.name === UploadBytesError.name) return damaged(error.message);
  return error.cause instanceof Error ? error.cause : error;
}
