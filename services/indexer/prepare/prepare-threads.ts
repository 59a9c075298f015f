import type { MessagePort } from 'node:worker_threads';
import { within } from '#kit/base/within.ts';
import { createWorkerRpc, type WorkerError, type WorkerRpc } from '#kit/base/worker-rpc.ts';
import { UploadBytesError } from '../uploads/file-reader.ts';
import { damaged, type StagedUpload } from '../uploads/uploads.ts';
import { serveBytes } from './bytes-port.ts';
import { parserFolder } from './parsers.ts';
import type { CarefulReading, ParseLimits, PreparedBatch, PrepareOptions } from './prepared.ts';
import type { PrepareReply, PrepareRequest, PrepareThreadData } from './worker-protocol.ts';

/** Threads that prepare uploads. */
export interface PrepareThreads {
  /**
   * Prepares an upload in a thread. Throws if the thread ends, or returns nothing for too long, or the signal aborts. If the task is careful, the
   * file that does this to the thread is a failure of its own, and another thread reads the files after it.
   */
  prepare(task: UploadTask, signal: AbortSignal): AsyncIterable<PreparedBatch>;
  close(): Promise<void>;
}

/** An upload to prepare. */
export interface UploadTask {
  upload: StagedUpload;
  options: PrepareOptions;
  /** Whether a thread was lost with the upload before; costs smaller batches. @default false */
  isCareful?: boolean;
}

/** A file has ended its thread, or got it stuck. */
class StuckError extends Error {
  override readonly name = 'StuckError';
}

/** Batches that a thread prepares before they are needed. */
const aheadMax = 3;
/** The largest file takes a fraction of it; beyond, something is wrong with the file. */
const heapMegabytesMax = 1024;
/** What a thread allocates before a collection. V8 would let it grow to 96 MB and keep it; 24 MB cost the same CPU. */
const youngMegabytesMax = 24;
/** Time beyond that of a parser in a child process; the slowest file of the others takes a fraction of it. */
const stallMarginMs = 120_000;
/** Files of an upload that may end a thread or get it stuck. */
const stuckMax = 20;
/** Time for a thread to end its child process. */
const endMs = 500;
/** Starting a thread costs up to a quarter of a second, so an idle one waits for the next job of a series. */
const idleMs = 2_000;

type PrepareThread = WorkerRpc<PrepareRequest, PrepareReply>;

/**
 * Creates the threads: none until they are needed. `limits` are of the child processes of parsers, at most one for each thread; a thread that
 * is silent for `marginMs` longer than a child process may be is stuck.
 */
export function createPrepareThreads(
  limits: ParseLimits,
  { folder = parserFolder, marginMs = stallMarginMs }: { folder?: URL; marginMs?: number } = {},
): PrepareThreads {
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
      workerData: { limits, folder: folder.href } satisfies PrepareThreadData,
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

  /** Reads an upload in one thread. Throws StuckError if the thread is lost. */
  async function* read(
    { upload, options }: UploadTask,
    careful: CarefulReading | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<PreparedBatch> {
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
        timeoutMs: limits.stallMs + marginMs,
        signals: [signal],
        toTimeoutError: (ms) => new StuckError(`no part of a file was read for ${ms / 1000} seconds: ${whatToDo}`),
      });
    let isDone = false;
    try {
      request({ kind: 'begin', task: { files: upload.files, bytes: bytes.port, options, careful } }, bytes.port);
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
  }

  /** Reads an upload in as many threads as it takes. */
  async function* readCarefully(task: UploadTask, signal: AbortSignal): AsyncGenerator<PreparedBatch> {
    const seenIds: string[] = [];
    let careful: CarefulReading = { firstFile: 0, seenIds };
    for (let stuckCount = 0; ; stuckCount++) {
      let firstFile = careful.firstFile;
      try {
        for await (const batch of read(task, careful, signal)) {
          firstFile = batch.nextFile;
          for (const { documentId } of batch.documents) seenIds.push(documentId);
          yield batch;
        }
        return;
      } catch (error) {
        if (!(error instanceof StuckError) || stuckCount === stuckMax) throw error;
        careful = { firstFile: nextPresent(task.upload, firstFile), seenIds, stuck: error.message };
      }
    }
  }

  return {
    prepare: (task, signal) => (task.isCareful === true ? readCarefully(task, signal) : read(task, undefined, signal)),

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

/** Returns the index of the first file from `index` on that has bytes to read. */
function nextPresent({ files }: StagedUpload, index: number): number {
  const found = files.findIndex(({ fromSource }, at) => at >= index && !fromSource?.isRemoved);
  return found === -1 ? files.length : found;
}

const whatToDo = 'split the file, or save it in another format';

/** Returns what a lost thread means (memory, or a bug), or what the thread says of the bytes. */
function toPrepareError(error: WorkerError): Error {
  if (error.fields.name === UploadBytesError.name) return damaged(error.message);
  if (error.failure !== 'crashed') return error;
  const isMemory = (error.cause as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
  const why = isMemory ? `needs more than ${heapMegabytesMax} MiB of memory` : 'ends the thread that reads it';
  return new StuckError(`a file ${why}: ${whatToDo}`, { cause: error.cause });
}
