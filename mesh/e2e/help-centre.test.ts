import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { testPrincipal } from '#kit/testing.ts';
import { startWholeMesh, type WholeMesh } from './whole-mesh.ts';

// A real help centre whose products are tenants: RAGMESH_TEST_DATA names the folder that holds alihelp-zh.

const folder = join(process.env.RAGMESH_TEST_DATA ?? '', 'alihelp-zh');
const isThere = process.env.RAGMESH_TEST_DATA !== undefined && existsSync(join(folder, 'corpus.jsonl'));
if (!isThere) process.stderr.write('skipped: 1 test over a real help centre (RAGMESH_TEST_DATA is not set)\n');

const lines = (name: string) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean);
const queryCount = 2000;
let mesh: WholeMesh;
afterAll(() => mesh?.close());
beforeAll(async () => {
  if (isThere) mesh = await startWholeMesh({ sample: false });
});

test.runIf(isThere)(
  'of 2,000 questions, none finds a passage of another tenant',
  async () => {
    const byProduct = Map.groupBy(lines('corpus.jsonl'), (line) => (JSON.parse(line) as { product: string }).product);
    const indexer = mesh.client(IndexerService);
    for (const [tenant, documents] of byProduct) {
      const options = await mesh.as(testPrincipal({ tenant }));
      const { jobId } = await indexer.ingestDocuments(upload(documents.join('\n')), options);
      for await (const { job } of indexer.watchJob({ jobId }, options)) expect(job?.state).not.toBe(JobState.FAILED);
    }
    const products = [...byProduct.keys()];
    const retrieval = mesh.client(RetrievalService);
    let found = 0;
    for (const [index, line] of lines('queries.jsonl').slice(0, queryCount).entries()) {
      const { text } = JSON.parse(line) as { text: string };
      const tenant = products[index % products.length] as string;
      const options = await mesh.as(testPrincipal({ tenant }));
      for await (const { event } of retrieval.retrieve({ query: text, topK: 10 }, options)) {
        const ids =
          event.case === 'leg'
            ? event.value.hits.map(({ documentId }) => documentId)
            : (event.value?.passages.map(({ documentId }) => documentId) ?? []);
        found += ids.length;
        // Ids of this set begin with their product.
        expect(ids.filter((id) => !id.startsWith(`${tenant}-zh-`))).toEqual([]);
      }
    }
    expect(found).toBeGreaterThan(queryCount * 10);
  },
  600_000,
);

async function* upload(text: string) {
  yield { part: { case: 'start' as const, value: { corpus: 'help' } } };
  yield { part: { case: 'file' as const, value: { path: 'corpus.jsonl' } } };
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += 1 << 18) {
    yield { part: { case: 'data' as const, value: bytes.subarray(start, start + (1 << 18)) } };
  }
}
