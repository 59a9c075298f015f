import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// A real help centre whose products are tenants: RAGMESH_TEST_DATA names the folder that holds alihelp-zh.

const folder = join(process.env.RAGMESH_TEST_DATA ?? '', 'alihelp-zh');
const isThere = process.env.RAGMESH_TEST_DATA !== undefined && existsSync(join(folder, 'corpus.jsonl'));
if (!isThere) process.stderr.write('skipped: 1 test over a real help centre (RAGMESH_TEST_DATA is not set)\n');

const lines = (name: string) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean);
const queryCount = 10_000;
/** Groups within groups, as a directory has them: who is in the inner one is in the outer one as well. */
const groupSets = [[], ['staff'], ['staff/support'], ['staff/support', 'merchant'], ['merchant']];
const principals = [
  { groups: [] },
  { groups: ['staff'] },
  { groups: ['staff', 'staff/support'] },
  { groups: ['merchant'] },
  { groups: ['merchant', 'staff', 'staff/support'] },
];
let mesh: WholeMesh;
afterAll(() => mesh?.close());
beforeAll(async () => {
  if (isThere) mesh = await startWholeMesh({ sample: false });
});

test.runIf(isThere)(
  'of 10,000 questions of anybody, none finds a passage, a hit or a count of another tenant or group',
  async () => {
    const documents = lines('corpus.jsonl').map((line, index) => {
      const document = JSON.parse(line) as { id: string; product: string };
      return { ...document, groups: groupSets[index % groupSets.length] as string[] };
    });
    const groupsOf = new Map(documents.map(({ id, groups }) => [id, groups]));
    const byProduct = Map.groupBy(documents, ({ product }) => product);
    const indexer = mesh.client(IndexerService);
    for (const [tenant, own] of byProduct) {
      const options = await mesh.as(testPrincipal({ tenant }));
      const text = own.map((document) => JSON.stringify(document)).join('\n');
      const { jobId } = await indexer.ingestDocuments(upload(text), options);
      for await (const { job } of indexer.watchJob({ jobId }, options)) expect(job?.state).not.toBe(JobState.FAILED);
    }
    const maySee = (tenant: string, groups: readonly string[], id: string) => {
      const granted = groupsOf.get(id) ?? ['nobody'];
      // Ids of this set begin with their product.
      return (
        id.startsWith(`${tenant}-zh-`) && (granted.length === 0 || granted.some((group) => groups.includes(group)))
      );
    };
    const products = [...byProduct.keys()];
    const retrieval = mesh.client(RetrievalService);
    for (const tenant of products) {
      for (const { groups } of principals) {
        const options = await mesh.as(testPrincipal({ tenant, groups }));
        const { corpora } = await retrieval.listCorpora({}, options);
        const visible = byProduct.get(tenant)?.filter(({ id }) => maySee(tenant, groups, id)).length;
        expect(Number(corpora[0]?.documentCount ?? 0)).toBe(visible);
      }
    }
    const questions = lines('queries.jsonl').map((line) => (JSON.parse(line) as { text: string }).text);
    let found = 0;
    for (let index = 0; index < queryCount; index++) {
      const tenant = products[index % products.length] as string;
      const { groups } = principals[Math.floor(Math.random() * principals.length)] as { groups: string[] };
      const options = await mesh.as(testPrincipal({ tenant, groups }));
      const query = questions[index % questions.length] as string;
      for await (const { event } of retrieval.retrieve({ query, topK: 10 }, options)) {
        const ids =
          event.case === 'leg'
            ? event.value.hits.map(({ documentId }) => documentId)
            : (event.value?.passages.map(({ documentId }) => documentId) ?? []);
        found += ids.length;
        expect(ids.filter((id) => !maySee(tenant, groups, id))).toEqual([]);
      }
    }
    expect(found).toBeGreaterThan(queryCount * 10);
  },
  900_000,
);

async function* upload(text: string) {
  yield { part: { case: 'start' as const, value: { corpus: 'help' } } };
  yield { part: { case: 'file' as const, value: { path: 'corpus.jsonl' } } };
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += 1 << 18) {
    yield { part: { case: 'data' as const, value: bytes.subarray(start, start + (1 << 18)) } };
  }
}
