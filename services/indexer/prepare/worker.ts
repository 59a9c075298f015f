import { parentPort, workerData } from 'node:worker_threads';
import { createFromAdapter, listAdapters } from '#kit/adapters.ts';
import type { Parser } from '../parser.ts';
import { readStagedFile } from '../uploads.ts';
import { prepareUpload } from './prepare-upload.ts';
import type { PrepareReply, PrepareTask } from './worker-protocol.ts';

// A thread that reads an upload into prepared documents: parsing and chunking never hold up the event loop, and a file that
// eats memory ends this thread, not the process.

const port = parentPort;
if (port === null) throw new Error('prepare/worker.ts runs as a worker thread');

const { upload, options } = workerData as PrepareTask;
const parserFolder = new URL('../adapters/parser/', import.meta.url);

let allowedCount = 0;
let wake = () => {};
port.on('message', () => {
  allowedCount++;
  wake();
});

const send = (reply: PrepareReply) => port.postMessage(reply);

const parsers = await Promise.all(
  listAdapters(parserFolder).map((name) =>
    createFromAdapter<Parser, object>(parserFolder, name, {}, {}, 'indexer.parser'),
  ),
);
const files = upload.files.map((file) => ({ ...file, read: () => readStagedFile(upload, file) }));
for await (const batch of prepareUpload(files, parsers, options)) {
  while (allowedCount === 0) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  allowedCount--;
  send({ kind: 'batch', batch });
}
send({ kind: 'done' });
port.close();
