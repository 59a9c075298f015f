import { parentPort } from 'node:worker_threads';
import { createFromAdapter, listAdapters } from '#kit/host/config/adapters.ts';
import type { Parser } from '../parse/parser.ts';
import { readStagedFile } from '../uploads/uploads.ts';
import { prepareUpload } from './prepare-upload.ts';
import type { PrepareReply, PrepareRequest, PrepareTask } from './worker-protocol.ts';

// A thread that reads uploads into prepared documents: parsing and chunking never hold up the event loop, and a file that eats
// memory ends this thread, not the process.

const port = parentPort;
if (port === null) throw new Error('prepare/worker.ts runs as a worker thread');
const send = (reply: PrepareReply) => port.postMessage(reply);

const folder = new URL('../adapters/parser/', import.meta.url);
const parsers = Promise.all(
  listAdapters(folder).map((name) => createFromAdapter<Parser, object>(folder, name, {}, {}, 'indexer.parser')),
);

let allowedCount = 0;
let wake = () => {};

port.on('message', (request: PrepareRequest) => {
  switch (request.kind) {
    case 'next':
      allowedCount++;
      wake();
      break;
    case 'task':
      allowedCount = 0;
      prepare(request.task).then(
        () => send({ kind: 'done' }),
        (error: unknown) => send({ kind: 'failed', error }),
      );
      break;
    default:
      request satisfies never;
  }
});

async function prepare({ upload, options }: PrepareTask): Promise<void> {
  const files = upload.files.map((file) => ({ ...file, read: () => readStagedFile(upload, file) }));
  for await (const batch of prepareUpload(files, await parsers, options)) {
    while (allowedCount === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    allowedCount--;
    send({ kind: 'batch', batch });
  }
}
