import { workerData } from 'node:worker_threads';
import { serveCalls, yieldToOthers } from '#kit/base/worker-rpc.ts';
import { createFileReader } from '../uploads/file-reader.ts';
import { readOver } from './bytes-port.ts';
import { createIsolation } from './child/isolate.ts';
import { loadParsers } from './parsers.ts';
import { prepareUpload } from './prepare-upload.ts';
import type { PreparedBatch } from './prepared.ts';
import type { PrepareReply, PrepareRequest, PrepareTask, PrepareThreadData } from './worker-protocol.ts';

// A thread that reads uploads into prepared documents: parsing and chunking never block the event loop, and a file that exhausts
// memory ends this thread, not the process.

const { limits, folder } = workerData as PrepareThreadData;
const isolation = createIsolation(limits, new URL(folder));
const parsers = loadParsers(isolation.isolate, new URL(folder));

let batches: AsyncIterator<PreparedBatch> | undefined;

yieldToOthers();
serveCalls(async (request: PrepareRequest): Promise<PrepareReply> => {
  switch (request.kind) {
    case 'begin':
      batches = prepare(request.task);
      return undefined;
    case 'next': {
      // A batch is prepared when it is called for; several calls are answered in their order.
      const result = await batches?.next();
      return result?.done === false ? result.value : undefined;
    }
    case 'end':
      await isolation.close();
      return undefined;
    default:
      return request satisfies never;
  }
});

async function* prepare({ files, bytes, options, careful }: PrepareTask): AsyncGenerator<PreparedBatch> {
  const readFile = createFileReader(readOver(bytes));
  const uploaded = files.map((file) => ({ ...file, read: () => readFile(file) }));
  yield* prepareUpload(uploaded, await parsers, options, careful);
}
