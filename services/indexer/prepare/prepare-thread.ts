import { Worker } from 'node:worker_threads';
import { createChannel } from '#kit/streams.ts';
import type { PreparedBatch } from './prepared.ts';
import type { PrepareReply, PrepareRequest, PrepareTask } from './worker-protocol.ts';

/** Batches that wait between the thread and the job. */
const aheadMax = 3;
/** The largest file takes a fraction of it; beyond, something is wrong with the file. */
const heapMegabytesMax = 1024;
/** The slowest file takes a fraction of it; beyond, a parser is stuck. */
const stallMs = 120_000;

/**
 * Prepares an upload in a thread of its own, which ends with the iteration. Throws where the thread fails, or gives nothing for
 * two minutes, or the signal aborts.
 */
export async function* prepareInThread(task: PrepareTask, signal: AbortSignal): AsyncIterable<PreparedBatch> {
  signal.throwIfAborted();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    execArgv: [],
    name: 'prepare',
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
  });
  const batches = createChannel<PreparedBatch>(aheadMax + 1);
  const allow = () => worker.postMessage({ kind: 'next' } satisfies PrepareRequest);
  worker.on('message', (reply: PrepareReply) => {
    if (reply.kind === 'done') batches.close();
    else void batches.send(reply.batch);
  });
  worker.on('error', (error) => batches.close(error));
  worker.on('exit', (code) => batches.close(new Error(`the thread that reads files ended with code ${code}`)));
  const onAbort = () => batches.close(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  let stall: NodeJS.Timeout | undefined;
  const expect = () => {
    stall = setTimeout(
      () => batches.close(new Error(`no document was read for ${stallMs} ms: a file is stuck`)),
      stallMs,
    );
  };
  try {
    for (let count = 0; count < aheadMax; count++) allow();
    expect();
    for await (const batch of batches) {
      clearTimeout(stall);
      yield batch;
      allow();
      expect();
    }
  } finally {
    clearTimeout(stall);
    signal.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}
