import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { create, toJsonString } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { createEmbeddingStandIn } from '../testing/embedding-stand-in.ts';
import { createIndexStandIn, outage } from '../testing/index-stand-in.ts';
import { jsonl, type Part, partsOf } from '../testing/indexer-mesh.ts';
import { type IndexerProcess, startIndexerProcess } from '../testing/indexer-process.ts';

/** Time limit of a poll, long enough for a busy machine. */
const patient = { timeout: 20_000, interval: 10 };

const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const index = createIndexStandIn();
const embedding = createEmbeddingStandIn();
let neighbours: TestMesh;
let folder: string;
let dataDir: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-kill-'));
  dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  neighbours = await startTestMesh([index.definition, embedding.definition], { config: { identity: { privateKey } } });
  const address = `127.0.0.1:${neighbours.host.grpcPort}`;
  const config = create(ConfigSchema, {
    dataDir,
    identity: { privateKey },
    grpc: { port: 0 },
    admin: { port: 0 },
    addresses: { retrieval: address, embedding: address },
  });
  writeFileSync(join(folder, 'config.json'), toJsonString(ConfigSchema, config));
});
const children: IndexerProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill();
  await neighbours.close();
  rmSync(folder, { recursive: true, force: true });
});

function startChild() {
  const child = startIndexerProcess(join(folder, 'config.json'));
  children.push(child);
  return child;
}

const staged = () => readdirSync(join(dataDir, 'indexer', 'uploads'));
const rows = (query: string) => {
  const db = new DatabaseSync(join(dataDir, 'indexer', 'records.db'), { readOnly: true });
  try {
    return db.prepare(query).all();
  } finally {
    db.close();
  }
};

describe('killed without warning', () => {
  test('at any step of a job, it continues at the next start and ends with exactly its documents', async () => {
    const options = await neighbours.as();
    let child = startChild();
    let client = await child.client();
    const first = await client.ingestDocuments(partsOf({ 'a.jsonl': jsonl(50), 'b.md': 'B' }), options);
    for await (const _ of client.watchJob({ jobId: first.jobId }, options));

    // The call of the index at which the next job is killed, and the number of such calls before.
    const points = [
      ['begin', 0],
      ['write', 1],
      ['remove', 0],
      ['publish', 0],
      ['published', 0],
    ] as const;
    let jobId = '';
    const files = { 'a.jsonl': jsonl(1500, (at) => `Changed text of ${at}.`) };
    for (const [point, before] of points) {
      const reached = Promise.withResolvers<void>();
      let passes: number = before;
      index.intercept((rpc) => {
        if (rpc !== point || passes-- > 0) return;
        child.kill();
        reached.resolve();
        // The call is not executed, except the publish that is killed after it.
        throw outage();
      });
      if (jobId !== '') child = startChild();
      else jobId = (await client.ingestDocuments(partsOf(files, { deleteMissing: true }), options)).jobId;
      await reached.promise;
      await child.gone();
      if (point !== 'published') expect(index.live('help').get('d0')?.chunks[0]?.text).toBe('Text of 0.');
    }
    index.intercept(() => {});
    child = startChild();
    client = await child.client();

    let last: Job | undefined;
    for await (const { job } of client.watchJob({ jobId }, options)) last = job;
    expect(last).toMatchObject({ state: JobState.SUCCEEDED, version: 2n, attemptCount: 1 });
    expect(index.live('help').size).toBe(1500);
    expect(index.building()).toEqual([]);
    await expect.poll(staged, patient).toEqual([]);
    const ids: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await client.listDocuments({ corpus: 'help', pageSize: 1000, pageToken }, options);
      ids.push(...page.documents.map(({ documentId }) => documentId));
      if (page.nextPageToken === '') break;
      pageToken = page.nextPageToken;
    }
    expect(ids).toEqual([...index.live('help').keys()].sort());
    expect((await client.getDocument({ corpus: 'help', documentId: 'd7' }, options)).text).toBe('Changed text of 7.');
    expect(rows("SELECT * FROM documents WHERE job_id <> ''")).toEqual([]);
    child.kill();
    await child.gone();
  }, 300_000);

  test('in the middle of an upload, it leaves nothing of it', async () => {
    const child = startChild();
    const client = await child.client();
    const options = await neighbours.as();
    async function* endless(): AsyncIterable<Part> {
      yield { part: { case: 'start', value: { corpus: 'cut' } } };
      yield { part: { case: 'file', value: { path: 'a.txt' } } };
      yield { part: { case: 'data', value: Buffer.from('bytes') } };
      await new Promise(() => {});
    }
    const call = client.ingestDocuments(endless(), options);
    call.catch(() => {});
    await expect.poll(() => staged().length, patient).toBe(1);
    child.kill();
    await child.gone();
    const next = startChild();
    const nextClient = await next.client();
    expect(staged()).toEqual([]);
    expect((await nextClient.listJobs({ corpus: 'cut' }, options)).jobs).toEqual([]);
    next.kill();
    await next.gone();
  }, 180_000);

  test('between the two steps of a deletion, it completes it at the next start', async () => {
    let child = startChild();
    const client = await child.client();
    const options = await neighbours.as();
    const { jobId } = await client.ingestDocuments(partsOf({ 'a.jsonl': jsonl(3) }, { corpus: 'del' }), options);
    for await (const _ of client.watchJob({ jobId }, options));
    // First before the index is called, then after the index has deleted.
    for (const point of ['purge', 'purged']) {
      const reached = Promise.withResolvers<void>();
      index.intercept((rpc) => {
        if (rpc !== point) return;
        child.kill();
        reached.resolve();
      });
      if (point === 'purge') client.deleteDocuments({ corpus: 'del', documentIds: ['d1'] }, options).catch(() => {});
      else child = startChild();
      await reached.promise;
      await child.gone();
      expect(rows('SELECT is_done FROM deletions')).toEqual([{ is_done: 0 }]);
      expect(rows("SELECT 1 AS one FROM documents WHERE corpus = 'del' AND document_id = 'd1'")).toEqual([{ one: 1 }]);
    }
    index.intercept(() => {});
    child = startChild();
    await child.client();
    await expect.poll(() => rows('SELECT * FROM deletions'), patient).toEqual([]);
    expect(
      rows("SELECT document_id FROM documents WHERE corpus = 'del' ORDER BY 1").map((row) => row.document_id),
    ).toEqual(['d0', 'd2']);
    expect([...index.live('del').keys()].sort()).toEqual(['d0', 'd2']);
    child.kill();
    await child.gone();
  }, 180_000);
});
