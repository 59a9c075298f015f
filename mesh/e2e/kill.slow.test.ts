import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startWholeMesh } from './testing/whole-mesh.ts';

// An ingest in a process of its own, killed without warning wherever it is.

const documentCount = 600;
const kills = 4;
const run = fileURLToPath(new URL('../run.ts', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-kill-'));
  const line = (index: number) => {
    const text = `Rule ${index}. `.concat(
      `Parcel number ${index} weighs ${index % 97} kg and costs ${index * 3} yuan. `.repeat(8),
    );
    return JSON.stringify({ id: `doc-${index}`, title: `Rule ${index}`, text });
  };
  writeFileSync(
    join(folder, 'rules.jsonl'),
    Array.from({ length: documentCount }, (_, index) => line(index)).join('\n'),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ingestAndKill(dataDir: string, afterMs: number): Promise<number | null> {
  const child = spawn(process.execPath, [run, 'ingest', join(folder, 'rules.jsonl'), '--corpus', 'rules'], {
    env: { ...process.env, RAGMESH_DATA_DIR: dataDir, RAGMESH_CONFIG: join(folder, 'kill.yaml') },
    stdio: 'ignore',
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}

test('killed again and again, an ingest ends with exactly its documents: none lost, none twice, no orphan', async () => {
  const dataDir = join(folder, 'data');
  // A port on which nothing listens, so that the command starts its own mesh.
  writeFileSync(join(folder, 'kill.yaml'), 'edge: { port: 1 }\n');
  for (let kill = 0; kill < kills; kill++) await ingestAndKill(dataDir, 900 + Math.random() * 1500);
  expect(await ingestAndKill(dataDir, 100_000)).toBe(0);
  await using mesh = await startWholeMesh({ dataDir, sample: false });
  const options = await mesh.as(testPrincipal({ tenant: 'demo', roles: [Role.READER, Role.EDITOR, Role.SERVICE] }));
  const indexer = mesh.client(IndexerService);
  // Uploads that were acknowledged before a kill continue by themselves.
  for (;;) {
    const { jobs } = await indexer.listJobs({ corpus: 'rules' }, options);
    expect(jobs.filter(({ state }) => state === JobState.FAILED)).toEqual([]);
    if (jobs.every(({ state }) => state === JobState.SUCCEEDED)) break;
    await sleep(50);
  }
  const ids: string[] = [];
  let pageToken = '';
  do {
    const page = await indexer.listDocuments({ corpus: 'rules', pageSize: 500, pageToken }, options);
    ids.push(...page.documents.map(({ documentId }) => documentId));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(ids).toHaveLength(documentCount);
  expect(new Set(ids).size).toBe(documentCount);
  const counts = await mesh.client(IndexWriterService).countIndex({ corpus: 'rules' }, options);
  expect(Number(counts.documentCount)).toBe(documentCount);
  expect(counts.orphanCount).toBe(0n);
  expect(counts.vectorCount).toBe(counts.chunkCount);
  expect(counts.keywordCount).toBe(counts.chunkCount);
}, 180_000);
