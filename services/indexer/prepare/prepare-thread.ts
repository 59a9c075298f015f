import { Worker } from 'node:worker_threads';
import { createChannel } from '#kit/streams.ts';
import type { PreparedBatch } from './prepared.ts';
import type { PrepareReply, PrepareRequest, PrepareTask } from './worker-protocol.ts';

/** Batches that wait between the thread and the job. */
const aheadMax = 3;
/** A file of 64 MiB in pieces fits many times; beyond it something is wrong with the file. */
const heapMegabytesMax = 1024;

/** Prepares an upload in a thread of its own; the thread ends with the iteration. Throws where the thread fails. */
export async function* prepareInThread(task: PrepareTask): AsyncIterable<PreparedBatch> {
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
  try {
    for (let count = 0; count < aheadMax; count++) allow();
    for await (const batch of batches) {
      yield batch;
      allow();
    }
  } finally {
    await worker.terminate();
  }
}
