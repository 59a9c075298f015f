import { startRetrieval } from './testing.ts';

// A process for crash.test.ts to kill: writes batches of ten documents into a build, going on where the index says that it
// stands, and tells each one that was acknowledged.

const [dataDir, total] = process.argv.slice(2) as [string, string];
const retrieval = await startRetrieval({ dataDir });
const version = await retrieval.begin('help', 'build-1');
const { documentCount } = await retrieval.client.countIndex({ corpus: 'help', version }, await retrieval.as());
for (let batch = Math.floor(Number(documentCount) / 10); batch < Number(total); batch++) {
  await retrieval.write(
    'help',
    version,
    Array.from({ length: 10 }, (_, index) => [`d${batch * 10 + index}`, `apple ${index} `.repeat(500)]),
  );
  process.stdout.write(`${JSON.stringify({ batch: batch + 1 })}\n`);
}
await retrieval.close(true);
