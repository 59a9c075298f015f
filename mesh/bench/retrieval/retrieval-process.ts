import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CallOptions, Code, ConnectError } from '@connectrpc/connect';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { toFtsQuery } from '#kit/text/query/fts-query.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { services } from '../../run.ts';
import { callsPerSecond, latencies, percentile } from '../measure.ts';
import { processMemory } from '../process-memory.ts';
import type { ChangeFigures, RetrievalFigures } from './retrieval.ts';
import { corpus, type Indexing, linesOf, publish, questionsOf, type Text, textsOf } from './retrieval-data.ts';

// Measures retrieval with its embedding and rerank in this process. Arguments: chunks wanted (0: as many as there are documents); `changes`
// to measure searches beside changes too, `quiet`, or `build` to make the index only; the folder of an index that is there or is made there (empty: a
// new one); then folders of data sets.

const [wanted = '0', mode = 'quiet', indexDir = '', ...folders] = process.argv.slice(2);
const startedAt = performance.now();
const names = new Set(['retrieval', 'embedding', 'rerank']);
const chosen = services.filter(({ name }) => names.has(name));
// Enough for all vectors of the smaller indices: what they use is measured. A million chunks have the memory for their codes and words, and the
// vectors of the best rows are read from SQLite.
const memoryGiB = Number(wanted) >= 1_000_000 ? 1n : 8n;
const isThere = indexDir !== '' && existsSync(join(indexDir, 'retrieval', 'catalog'));
const mesh = await startTestMesh(chosen, {
  ...(indexDir !== '' && { dataDir: indexDir }),
  // A leg that is late on a busy machine is measured, not skipped.
  config: { retrieval: { memoryBytes: memoryGiB * 1024n ** 3n, legTimeoutMs: 20_000 } },
});
const client = mesh.client(RetrievalService);
const embedding = mesh.client(EmbeddingService);
const writer = mesh.client(IndexWriterService);
// Indexing a million chunks takes longer than a token is valid.
const optionsOf = (tenant: string) => {
  let made: CallOptions | undefined;
  let madeAt = 0;
  return async () => {
    if (made === undefined || performance.now() - madeAt > renewMs) {
      made = await mesh.as(testPrincipal({ tenant }), { timeoutMs: 600_000 });
      madeAt = performance.now();
    }
    return made;
  };
};
const renewMs = 300_000;
const longestLoadMs = 600_000;
/** A search by SQLite takes longer, one in memory less. */
const slowMs = 500;
const options = optionsOf('acme');

// Of an index that is there they are not read: the memory that is measured is that of the services.
const documents = isThere ? [] : linesOf<Text>(folders, 'corpus.jsonl');
const total = Number(wanted) || documents.length;
if (!isThere) await publish({ writer, embedding, options }, 'bench', textsOf(documents, 0, total), total);

const questions = questionsOf(folders);
const searchAs = (as: typeof options) => async (index: number) => {
  const startedAt = performance.now();
  const query = questions[index % questions.length] as string;
  for await (const _ of client.retrieve({ query, corpora: [corpus] }, await as()));
  return performance.now() - startedAt;
};
const search = searchAs(options);

await loaded();
const loadedMs = performance.now() - startedAt;
const loadCpu = process.cpuUsage();
if (mode === 'build') {
  await imagesWritten();
  await mesh.close(true);
  process.send?.({});
  process.disconnect();
  process.exit(0);
}
await latencies(1, 300, search);
const questionCount = 1500;
const one = await latencies(1, questionCount, search);
const pauses = monitorEventLoopDelay({ resolution: 1 });
let next = 0;
pauses.enable();
const cpuBefore = process.cpuUsage();
const perSecond = await callsPerSecond(32, 6, () => search(next++));
const cpu = process.cpuUsage(cpuBefore);
pauses.disable();

const figures: RetrievalFigures = {
  chunkCount: total,
  p50Ms: percentile(one, 0.5),
  p99Ms: percentile(one, 0.99),
  perSecond,
  cpuMs: (cpu.user + cpu.system) / 1000 / next,
  ...memory(),
  longestPauseMs: pauses.max / 1e6,
  loadedMs,
  loadCpuMs: (loadCpu.user + loadCpu.system) / 1000,
  rawP50Ms: total > 100_000 ? Number.NaN : percentile(await rawTimes(), 0.5),
  questionCount,
  dataDir: mesh.dataDir,
  changes: mode === 'changes' ? await changeFigures() : undefined,
};
await mesh.close(true);
process.send?.(figures);
process.once('disconnect', () => process.exit(0));

// Other systems than Linux do not say how much of it are pages of files.
function memory() {
  const { residentBytes, ownBytes } =
    process.platform === 'linux' ? processMemory() : { residentBytes: process.memoryUsage.rss(), ownBytes: Number.NaN };
  return { residentMb: residentBytes / 1e6, ownMb: ownBytes / 1e6 };
}

// The next start reads them.
async function imagesWritten(): Promise<void> {
  const hasAll = () =>
    ['vectors', 'keywords'].every((kind) =>
      readdirSync(join(mesh.dataDir, 'retrieval', kind)).some((name) => name.endsWith('.image')),
    );
  for (const until = performance.now() + longestLoadMs; !hasAll() && performance.now() < until; ) await sleep(500);
}

// A publish does not wait until a million chunks are in memory, and a leg has no time for all of them in SQLite.
async function loaded(): Promise<void> {
  let quickCount = 0;
  for (const until = performance.now() + longestLoadMs; quickCount < 20; ) {
    try {
      quickCount = (await search(quickCount)) < slowMs ? quickCount + 1 : 0;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable) throw error;
      quickCount = 0;
    }
    if (quickCount === 0) await sleep(500);
    if (performance.now() > until) throw new Error(`the index is not in memory after ${longestLoadMs / 1000} s`);
  }
}

// Another tenant with an index of the same size changes one document after another, without a pause.
async function changeFigures(): Promise<ChangeFigures> {
  const changing = optionsOf('changing');
  const indexing: Indexing = { writer, embedding, options: changing };
  await publish(indexing, 'bench', textsOf(documents, 0, total), total);
  const searchSame = searchAs(changing);
  let count = 0;
  const publishOne = () => publish(indexing, `build-${++count}`, textsOf(documents, count, 1), 1);
  const purgeOne = async () => {
    const documentIds = [(documents[documents.length - ++count] as Text).id];
    await writer.purgeDocuments({ corpus, documentIds }, await changing());
  };
  const quiet = { other: await p99(search), same: await p99(searchSame) };
  const publishing = await beside(publishOne, search, searchSame);
  const purging = await beside(purgeOne, search, searchSame);
  return {
    other: { quiet: quiet.other, publishing: publishing.other, purging: purging.other },
    same: { quiet: quiet.same, publishing: publishing.same, purging: purging.same },
    publishesPerSecond: publishing.perSecond,
    purgesPerSecond: purging.perSecond,
  };
}

async function p99(searched: (index: number) => Promise<number>): Promise<number> {
  return percentile(await latencies(1, 1000, searched), 0.99);
}

async function beside(
  change: () => Promise<void>,
  other: (index: number) => Promise<number>,
  same: (index: number) => Promise<number>,
): Promise<{ other: number; same: number; perSecond: number }> {
  let isOver = false;
  let changeCount = 0;
  const startedAt = performance.now();
  const changes = (async () => {
    while (!isOver) {
      await change();
      changeCount++;
    }
  })();
  try {
    const measured = { other: await p99(other), same: await p99(same) };
    return { ...measured, perSecond: (changeCount * 1000) / (performance.now() - startedAt) };
  } finally {
    isOver = true;
    await changes;
  }
}

// The same questions to the engines by themselves: nearest neighbours by sqlite-vec, BM25 by FTS5, each in a thread, concurrently. The
// words are made, and the vectors are there, before the clock runs.
async function rawTimes(): Promise<number[]> {
  const extension = (createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath();
  const open = async (kind: string, extensions: string[]) => {
    const folder = join(mesh.dataDir, 'retrieval', kind);
    const file = readdirSync(folder).find((entry) => entry.endsWith('.db')) ?? '';
    const setup = ['PRAGMA query_only = ON', 'PRAGMA mmap_size = 268435456'];
    const thread = createSqliteThread();
    return { thread, connection: await thread.open({ path: join(folder, file), extensions, setup }) };
  };
  const [vectors, words] = await Promise.all([open('vectors', [extension]), open('keywords', [])]);
  const asked = questions.slice(0, 300);
  const embedded: Uint8Array[] = [];
  for await (const batch of embedding.embed({ inputs: asked, purpose: Purpose.QUERY }, await options())) {
    embedded.push(...batch.vectors.map((vector) => new Uint8Array(fromVector(vector).slice().buffer)));
  }
  const near = 'SELECT rowid, distance FROM vector_1 WHERE embedding MATCH ? AND k = 50';
  const best = 'SELECT rowid, rank FROM chunk_text WHERE chunk_text MATCH ? ORDER BY rank LIMIT 50';
  const times = await latencies(1, asked.length, async (index) => {
    const match = toFtsQuery([...new Set(tokenize(asked[index] as string, { mode: 'query' }))]);
    const startedAt = performance.now();
    await Promise.all([
      vectors.connection.all(near, [embedded[index] as Uint8Array]),
      words.connection.all(best, [match]),
    ]);
    return performance.now() - startedAt;
  });
  for (const { thread } of [vectors, words]) await thread.close();
  return times;
}
