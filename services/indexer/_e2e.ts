import { readdirSync, readFileSync, statSync } from 'node:fs';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing.ts';
import { indexer } from './index.ts';

const { retrieval } = await import('../retrieval/index.ts' as string);
const { embedding } = await import('../embedding/index.ts' as string);
const { rerank } = await import('../rerank/index.ts' as string);
const mesh = await startTestMesh([indexer, retrieval, embedding, rerank] as never);
const ix = mesh.client(IndexerService),
  rt = mesh.client(RetrievalService);
const opt = await mesh.as();
const files = ['zh', 'en'].map((l) => ({
  path: `${l}/corpus.jsonl`,
  bytes: readFileSync(`/work/shared/data/alihelp-${l}/corpus.jsonl`),
}));
async function* up(corpus: string) {
  yield { part: { case: 'start' as const, value: { corpus, deleteMissing: true } } };
  for (const f of files) {
    yield { part: { case: 'file' as const, value: { path: f.path, sizeBytes: BigInt(f.bytes.length) } } };
    for (let i = 0; i < f.bytes.length; i += 1 << 18)
      yield { part: { case: 'data' as const, value: f.bytes.subarray(i, i + (1 << 18)) } };
  }
}
let lag = 0,
  last = performance.now();
const t = setInterval(() => {
  const n = performance.now();
  lag = Math.max(lag, n - last - 10);
  last = n;
}, 10);
let rss = 0;
const t2 = setInterval(() => {
  rss = Math.max(rss, process.memoryUsage().rss);
}, 100);
for (let round = 0; round < 2; round++) {
  const s = performance.now();
  lag = 0;
  const r = await ix.ingestDocuments(up('help') as never, opt);
  console.log('uploaded', Math.round(performance.now() - s), r.jobId, r.fileCount);
  let n = 0;
  let lastJob: any;
  for await (const { job } of ix.watchJob({ jobId: r.jobId }, opt)) {
    n++;
    lastJob = job;
  }
  console.log(
    'done',
    Math.round(performance.now() - s),
    'events',
    n,
    'lag',
    Math.round(lag),
    'rssMB',
    Math.round(rss / 1e6),
    JobState[lastJob.state as never] ?? lastJob.state,
    lastJob.error,
    lastJob.progress,
    lastJob.version,
    lastJob.revision,
  );
}
console.log(await rt.countIndex({ corpus: 'help' }, opt));
const l = await ix.listDocuments({ corpus: 'help', pageSize: 2, idPrefix: 'ecs' }, opt);
console.log(
  l.documents.map((d) => [d.documentId, d.title, d.chunkCount, d.attributes]),
  l.nextPageToken,
);
const g = await ix.getDocument({ corpus: 'help', documentId: l.documents[0]!.documentId }, opt);
console.log(g.text.slice(0, 80));
clearInterval(t);
clearInterval(t2);
await mesh.close();
