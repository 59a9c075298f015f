import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../../e2e/testing/whole-mesh.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-backup-mesh-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (dataDir: string, ...args: string[]) => {
  const env = { ...process.env, RAGMESH_DATA_DIR: dataDir };
  return promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../run.ts', import.meta.url)), ...args], {
    env,
  });
};
const roles = [Role.READER, Role.EDITOR, Role.OPERATOR, Role.AUDITOR, Role.SERVICE];
const demo = (mesh: WholeMesh) => mesh.as(testPrincipal({ tenant: 'demo', roles }));

async function countsOf(mesh: WholeMesh) {
  const options = await demo(mesh);
  const chain = await mesh.client(AuditService).verifyChain({}, options);
  const index = await mesh.client(IndexWriterService).countIndex({ corpus: 'shop' }, options);
  return { chain, index };
}

test('a backup of a mesh that answers meanwhile starts, answers, and has every answer that was acknowledged before', async () => {
  const dataDir = join(folder, 'data');
  let acknowledged = 0n;
  {
    await using mesh = await startWholeMesh({ dataDir });
    const options = await demo(mesh);
    let isDone = false;
    let answerCount = 0;
    const asking = Array.from({ length: 4 }, async (_, caller) => {
      while (!isDone) {
        const question = `Are fabric swatches free? ${caller} ${answerCount}`;
        await askWhole(mesh.client(ChatService), { question, corpora: ['shop'] }, options);
        answerCount++;
      }
    });
    await expect.poll(() => answerCount, { timeout: 60_000 }).toBeGreaterThan(20);
    acknowledged = (await countsOf(mesh)).chain.entryCount;
    await run(dataDir, 'backup', '--to', join(folder, 'copy')).finally(() => {
      isDone = true;
    });
    await Promise.all(asking);
  }
  await run(join(folder, 'restored'), 'restore', '--from', join(folder, 'copy'));
  await using mesh = await startWholeMesh({ dataDir: join(folder, 'restored') });
  const { chain, index } = await countsOf(mesh);
  expect(chain.intact).toBe(true);
  expect(chain.entryCount).toBeGreaterThanOrEqual(acknowledged);
  expect(index.orphanCount).toBe(0n);
  expect(index.vectorCount).toBe(index.chunkCount);
  expect(index.keywordCount).toBe(index.chunkCount);
  const answer = await askWhole(
    mesh.client(ChatService),
    { question: 'Are fabric swatches free?', corpora: ['shop'] },
    await demo(mesh),
  );
  expect(answer.citations.length).toBeGreaterThan(0);
}, 180_000);
