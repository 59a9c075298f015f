import { createSqliteThreads } from '../sqlite/threads.ts';
import { openRetrieval } from './local-stores.ts';
import type { ShortDocument } from './retrieval.ts';

// A process for crash.slow.test.ts to kill. It continues a build from the state that the index reports, writes batches of ten documents, and prints
// each acknowledged one.

const [dataDir, total] = process.argv.slice(2) as [string, string];
const threads = createSqliteThreads(1);
const retrieval = await openRetrieval(dataDir, threads);
const version = await retrieval.begin('help', 'build-1');
const written = new Set<string>();
for await (const { documents } of retrieval.client.listIndexedDocuments({ corpus: 'help', version })) {
  // The write of a document without a hash was interrupted.
  for (const { documentId, contentHash } of documents) if (contentHash.length > 0) written.add(documentId);
}
for (let batch = 0; batch < Number(total); batch++) {
  const documents = Array.from({ length: 10 }, (_, index): ShortDocument => {
    return [`d${batch * 10 + index}`, `apple ${index} `.repeat(200)];
  });
  const isNew = !documents.every(([documentId]) => written.has(documentId));
  if (isNew) await retrieval.write('help', version, documents);
  process.stdout.write(`${JSON.stringify({ batch: batch + 1, isNew })}\n`);
}
await retrieval.close();
await threads.close();
