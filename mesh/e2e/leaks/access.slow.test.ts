import type { Client } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Tenants with the same words in their documents, and groups inside them: whatever is asked, by whomever, nothing crosses.

const tenants = ['north', 'south', 'North', 'east.1'];
const groups = ['staff', 'board', 'legal'];
const topics = ['refund 退款', 'warranty 保修', 'invoice 发票', 'shipping 配送', 'PPR-9087 E-07'];
let mesh: WholeMesh;
let retrieval: Client<typeof RetrievalService>;

/** Id of a document: says who may see it. */
const idOf = (tenant: string, access: readonly string[], topic: number) =>
  `${tenant}/${access.join('+') || 'all'}/${topic}`;
const accessLists: string[][] = [[], ['staff'], ['board'], ['staff', 'legal']];

beforeAll(async () => {
  mesh = await startWholeMesh({ sample: false });
  retrieval = mesh.client(RetrievalService);
  const indexer = mesh.client(IndexerService);
  for (const tenant of tenants) {
    const options = await mesh.as(testPrincipal({ tenant, groups, roles: [Role.READER, Role.EDITOR] }));
    const lines = accessLists.flatMap((access) =>
      topics.map((topic, index) =>
        JSON.stringify({
          id: idOf(tenant, access, index),
          title: topic,
          text: `${topic} of ${tenant} for ${access.join(' and ') || 'everyone'}. The limit is ${index * 100} yuan. 上限是 ${index * 100} 元。`,
          groups: access,
        }),
      ),
    );
    const data = new TextEncoder().encode(lines.join('\n'));
    const { jobId } = await indexer.ingestDocuments(
      (async function* () {
        yield { part: { case: 'start' as const, value: { corpus: 'rules' } } };
        yield { part: { case: 'file' as const, value: { path: 'rules.jsonl' } } };
        yield { part: { case: 'data' as const, value: data } };
      })(),
      options,
    );
    for await (const { job } of indexer.watchJob({ jobId }, options)) {
      if (job?.state === JobState.FAILED) throw new Error(job.error);
    }
  }
});
afterAll(() => mesh.close());

/** Whether the principal may see the document, by the id's own words. */
function maySee(principal: Principal, documentId: string): boolean {
  const [tenant, access = ''] = documentId.split('/');
  return (
    tenant === principal.tenant &&
    (access === 'all' || access.split('+').some((group) => principal.groups.includes(group)))
  );
}

function pick<T>(values: readonly T[], random: () => number): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** A repeatable source of randomness (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const anyone = (random: () => number): Principal =>
  testPrincipal({
    tenant: pick(tenants, random),
    user: pick(['ann', 'bob'], random),
    groups: groups.filter(() => random() < 0.4),
    roles: [Role.READER],
  });

test('no search of a thousand finds, counts or scores a document across a tenant or an access list', async () => {
  const random = seeded(7);
  for (let index = 0; index < 1000; index++) {
    const principal = anyone(random);
    const options = await mesh.as(principal);
    const query = `${pick(topics, random)} ${pick(tenants, random)} ${pick(groups, random)} ${pick(['limit', '上限', '"*" OR', ''], random)}`;
    for await (const { event } of retrieval.retrieve({ query, topK: 20 }, options)) {
      if (event.case === 'leg')
        for (const { documentId } of event.value.hits) expect(maySee(principal, documentId)).toBe(true);
      if (event.case !== 'fused') continue;
      expect(event.value.degradations).toEqual([]);
      for (const { documentId } of event.value.passages) expect(maySee(principal, documentId)).toBe(true);
      expect(event.value.passages.length).toBeGreaterThan(0);
    }
    if (index % 50 !== 0) continue;
    const { corpora } = await retrieval.listCorpora({}, options);
    const visible =
      accessLists.filter((access) => maySee(principal, idOf(principal.tenant, access, 0))).length * topics.length;
    expect(corpora.map(({ documentCount }) => Number(documentCount))).toEqual([visible]);
  }
}, 120_000);

test('no answer, cached or not, says what its caller may not see', async () => {
  const random = seeded(11);
  const chat = mesh.client(ChatService);
  for (let index = 0; index < 150; index++) {
    const principal = anyone(random);
    const { sources, citations } = await askWhole(
      chat,
      { question: `${pick(topics, random)} limit?` },
      await mesh.as(principal),
    );
    for (const { documentId } of [...sources, ...citations]) expect(maySee(principal, documentId)).toBe(true);
  }
}, 120_000);

test('a chunk, a document and a job of others are not there', async () => {
  const owner = await mesh.as(testPrincipal({ tenant: 'north', groups }));
  const { chunkIds, jobId } = await (async () => {
    const ids: string[] = [];
    for await (const { event } of retrieval.retrieve({ query: 'refund', topK: 50 }, owner)) {
      if (event.case === 'fused') ids.push(...event.value.passages.map(({ chunkId }) => chunkId));
    }
    const { jobs } = await mesh.client(IndexerService).listJobs({}, owner);
    return { chunkIds: ids, jobId: jobs[0]?.jobId ?? '' };
  })();
  expect(chunkIds.length).toBeGreaterThan(5);
  const stranger = await mesh.as(testPrincipal({ tenant: 'North', groups }));
  expect((await retrieval.getPassages({ chunkIds }, stranger)).passages).toEqual([]);
  const indexer = mesh.client(IndexerService);
  await expect(indexer.getJob({ jobId }, stranger)).rejects.toThrow(/no job/);
  const document = { corpus: 'rules', documentId: idOf('north', [], 0) };
  await expect(indexer.getDocument(document, stranger)).rejects.toThrow(/no document/);
  const outsider = await mesh.as(testPrincipal({ tenant: 'north', groups: [] }));
  const restricted = { corpus: 'rules', documentId: idOf('north', ['board'], 0) };
  await expect(indexer.getDocument(restricted, outsider)).rejects.toThrow(/no document/);
});
