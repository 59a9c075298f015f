import { serveCalls, yieldToOthers } from '#kit/base/worker-rpc.ts';
import { createFromAdapter, listAdapters } from '#kit/host/config/adapters.ts';
import type { Parser } from '../parse/parser.ts';
import { createFileReader } from '../uploads/file-reader.ts';
import { readOver } from './bytes-port.ts';
import { prepareUpload } from './prepare-upload.ts';
import type { PreparedBatch } from './prepared.ts';
import type { PrepareReply, PrepareRequest, PrepareTask } from './worker-protocol.ts';

// A thread that reads uploads into prepared documents: parsing and chunking never block the event loop, and a file that exhausts
// memory ends this thread, not the process.

const folder = new URL('../adapters/parser/', import.meta.url);
const parsers = Promise.all(
  listAdapters(folder).map((name) => createFromAdapter<Parser, object>(folder, name, {}, {}, 'indexer.parser')),
);

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
    default:
      return request satisfies never;
  }
});

async function* prepare({ files, bytes, options }: PrepareTask): AsyncGenerator<PreparedBatch> {
  const readFile = createFileReader(readOver(bytes));
  const uploaded = files.map((file) => ({ ...file, read: () => readFile(file) }));
  yield* prepareUpload(uploaded, await parsers, options);
}
