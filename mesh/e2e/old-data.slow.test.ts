import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { askWhole, startWholeMesh } from './testing/whole-mesh.ts';

// A data folder that release 0.1 has written: documents in two versions, one of them deleted, a session of two turns with feedback, and an
// upload that was acknowledged, after which the process was killed.

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-old-data-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a data folder of the release before opens without loss, and its upload is indexed', async () => {
  execFileSync('tar', ['xzf', fileURLToPath(new URL('testing/data-folder-0.1.tar.gz', import.meta.url)), '-C', folder]);
  await using mesh = await startWholeMesh({ dataDir: folder, sample: false });
  const as = await mesh.as(testPrincipal({ tenant: 'acme', user: 'ann' }));
  const indexer = mesh.client(IndexerService);
  await expect
    .poll(async () => (await indexer.listJobs({ corpus: 'rules' }, as)).jobs.map(({ state }) => state), {
      timeout: 60_000,
    })
    .toEqual([JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.SUCCEEDED]);
  const { documents } = await indexer.listDocuments({ corpus: 'rules', pageSize: 200 }, as);
  const ids = documents.map(({ documentId }) => documentId);
  const uploaded = Array.from({ length: 40 }, (_, index) => `rule-${100 + index}.md`);
  expect(ids.sort()).toEqual(['rule-1.md', 'rule-2.md', 'rule-4.md', ...uploaded].sort());
  const counts = await mesh.client(IndexWriterService).countIndex({ corpus: 'rules' }, as);
  expect(counts).toMatchObject({
    documentCount: 43n,
    orphanCount: 0n,
    vectorCount: counts.chunkCount,
    keywordCount: counts.chunkCount,
  });

  const chat = mesh.client(ChatService);
  const { sessions } = await chat.listSessions({}, as);
  expect(sessions).toHaveLength(1);
  const { turns } = await chat.getSession({ sessionId: sessions[0]?.sessionId ?? '' }, as);
  expect(turns.map(({ answer }) => answer)).toEqual([
    'The fee of rule 1 is 1111 yuan. [1]',
    'The fee of rule 2 is 2323 yuan. [1]',
  ]);
  expect(await mesh.client(AuditService).verifyChain({}, as)).toMatchObject({ intact: true, entryCount: 2n });
  const { text, citations } = await askWhole(chat, { question: 'What is the fee of rule 139?' }, as);
  expect(text).toContain('5039');
  expect(citations.map(({ documentId }) => documentId)).toContain('rule-139.md');
}, 120_000);
