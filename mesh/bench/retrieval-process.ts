import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { create } from '@bufbuild/protobuf';
import type { Vector } from '#gen/ragmesh/common/v1/common_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { IndexWriterService, WriteDocumentsRequestSchema } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { toFtsQuery } from '#kit/text/query/fts-query.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { createProgress } from '../cli/progress.ts';
import { services } from '../run.ts';
import { callsPerSecond, latencies, percentile } from './measure.ts';
import type { RetrievalFigures } from './retrieval.ts';

// Measures retrieval with its embedding and rerank in this process. Arguments: chunks wanted (0: as many as there are
// documents), then folders of data sets.

const [wanted = '0', ...folders] = process.argv.slice(2);
const names = new Set(['retrieval', 'embedding', 'rerank']);
const mesh = await startTestMesh(services.filter(({ name }) => names.has(name)));
const client = mesh.client(RetrievalService);
const writer = mesh.client(IndexWriterService);
const embedding = mesh.client(EmbeddingService);
const options = await mesh.as(undefined, { timeoutMs: 600_000 });

interface Text {
  id: string;
  title: string;
  text: string;
}

function linesOf<T>(file: string): T[] {
  const lines = folders.flatMap((folder) => readFileSync(join(folder, file), 'utf8').split('\n'));
  return lines.filter(Boolean).map((line) => JSON.parse(line) as T);
}

// The real text again and again, each time with its sentences in another order and one left out, so that no two are alike.
function vary({ id, title, text }: Text, round: number): Text {
  if (round === 0) return { id, title, text };
  const sentences = text.split(/(?<=[。！？.!?\n])/u);
  const turned = sentences.map((_, index) => sentences[(index * (2 * round + 1) + round) % sentences.length] as string);
  return { id: `${id}-${round}`, title, text: turned.slice(round % 2).join('') || text };
}

const documents = linesOf<Text>('corpus.jsonl');
const total = Number(wanted) || documents.length;
const progress = createProgress();
const corpus = 'help';
const { models } = await embedding.listModels({}, options);
const model = models[0];
if (model === undefined) throw new Error('no embedding model');
const { version } = await writer.beginVersion(
  { corpus, buildId: 'bench', embeddingModel: model.name, dimensions: model.dimensions },
  options,
);

async function* batches(from: number, to: number) {
  const size = 200;
  for (let start = from; start < to; start += size) {
    const texts = Array.from({ length: Math.min(size, to - start) }, (_, offset) => {
      const index = start + offset;
      return vary(documents[index % documents.length] as Text, Math.floor(index / documents.length));
    });
    const inputs = texts.map(({ title, text }) => `${title}\n${text}`);
    const vectors: Vector[] = [];
    for await (const batch of embedding.embed({ inputs, purpose: Purpose.DOCUMENT }, options))
      vectors.push(...batch.vectors);
    const written = texts.map(({ id, title, text }, index) => ({
      documentId: id,
      title,
      chunks: [{ chunkId: `${id}#0`, text, vector: vectors[index], endOffset: text.length }],
    }));
    progress.update(start, total, 'indexing');
    yield create(WriteDocumentsRequestSchema, { corpus, version, documents: written as never });
  }
}

// A call has two minutes.
const perCall = 10_000;
for (let from = 0; from < total; from += perCall) {
  await writer.writeDocuments(batches(from, Math.min(total, from + perCall)), options);
}
await writer.publishVersion({ corpus, version }, options);
progress.end();

const texts = linesOf<{ text: string }>('queries.jsonl').map(({ text }) => text);
// Languages take turns, so that any run of questions is a fair mixture.
const questions = texts.map((_, index) => texts[(index * 997) % texts.length] as string);
const search = async (index: number): Promise<number> => {
  const startedAt = performance.now();
  const query = questions[index % questions.length] as string;
  for await (const _ of client.retrieve({ query, corpora: [corpus] }, options));
  return performance.now() - startedAt;
};

// Until the copies in memory are there, SQLite answers: that is a start, not the state to measure.
for (let turn = 0; turn < 60; turn++) {
  const times = await latencies(1, 20, (index) => search(index).catch(() => Number.POSITIVE_INFINITY));
  if (percentile(times, 0.5) < 6) break;
  await new Promise((resolve) => setTimeout(resolve, 500));
}
await latencies(1, 300, search);
const questionCount = 1500;
const one = await latencies(1, questionCount, search);
const pauses = monitorEventLoopDelay({ resolution: 1 });
let next = 0;
pauses.enable();
const perSecond = await callsPerSecond(32, 6, () => search(next++));
pauses.disable();

const figures: RetrievalFigures = {
  chunkCount: total,
  p50Ms: percentile(one, 0.5),
  p99Ms: percentile(one, 0.99),
  perSecond,
  longestPauseMs: pauses.max / 1e6,
  rawP50Ms: percentile(await rawTimes(), 0.5),
  questionCount,
};
process.send?.(figures);
process.once('disconnect', async () => {
  await mesh.close();
  process.exit(0);
});

// The same questions to the engines by themselves: nearest neighbours by sqlite-vec, BM25 by FTS5, each in a thread, concurrently. The
// words are made, and the vectors are there, before the clock runs.
async function rawTimes(): Promise<number[]> {
  const extension = (createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath();
  const open = async (kind: string, extensions: string[]) => {
    const folder = join(mesh.dataDir, 'retrieval', kind);
    const file = readdirSync(folder).find((entry) => entry.endsWith('.db')) ?? '';
    const setup = ['PRAGMA query_only = ON', 'PRAGMA mmap_size = 268435456'];
    return createSqliteThread().open({ path: join(folder, file), extensions, setup });
  };
  const [vectors, words] = await Promise.all([open('vectors', [extension]), open('keywords', [])]);
  const asked = questions.slice(0, 300);
  const embedded: Uint8Array[] = [];
  for await (const batch of embedding.embed({ inputs: asked, purpose: Purpose.QUERY }, options)) {
    embedded.push(...batch.vectors.map((vector) => new Uint8Array(fromVector(vector).slice().buffer)));
  }
  const near = 'SELECT rowid, distance FROM vector_1 WHERE embedding MATCH ? AND k = 50';
  const best = 'SELECT rowid, rank FROM chunk_text WHERE chunk_text MATCH ? ORDER BY rank LIMIT 50';
  return latencies(1, asked.length, async (index) => {
    const match = toFtsQuery([...new Set(tokenize(asked[index] as string, { mode: 'query' }))]);
    const startedAt = performance.now();
    await Promise.all([vectors.all(near, [embedded[index] as Uint8Array]), words.all(best, [match])]);
    return performance.now() - startedAt;
  });
}
