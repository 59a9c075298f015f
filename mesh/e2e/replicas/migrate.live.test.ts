import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The data folder of release 0.1 (old-data.slow.test.ts) moves to PostgreSQL.

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-migrate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fixture = fileURLToPath(new URL('../testing/data-folder-0.1.tar.gz', import.meta.url));
const run = fileURLToPath(new URL('../../run.ts', import.meta.url));
const migrate = (from: string, to: string, ...more: string[]) =>
  promisify(execFile)(process.execPath, [run, 'migrate', '--from', from, '--to', to, '--json', ...more]);

const ann = (mesh: WholeMesh) => mesh.as(testPrincipal({ tenant: 'acme', user: 'ann' }));
const fee = { question: 'What is the fee of rule 2?' };

/** Returns what must be the same on both sides. */
async function stateOf(mesh: WholeMesh) {
  const as = await ann(mesh);
  const indexer = mesh.client(IndexerService);
  const chat = mesh.client(ChatService);
  const { documents } = await indexer.listDocuments({ corpus: 'rules', pageSize: 200 }, as);
  const { jobs } = await indexer.listJobs({ corpus: 'rules' }, as);
  const { sessions } = await chat.listSessions({}, as);
  const turns = await Promise.all(
    sessions.map(async ({ sessionId }) => (await chat.getSession({ sessionId }, as)).turns),
  );
  const { versions } = await mesh.client(IndexAdminService).listVersions({ corpus: 'rules' }, as);
  const counts = await mesh.client(IndexWriterService).countIndex({ corpus: 'rules' }, as);
  const chain = await mesh.client(AuditService).verifyChain({}, as);
  return { documents, jobs, sessions, turns, versions, counts, chain };
}

describe.skipIf(!hasPostgres && skipped('postgres', 1, postgresAdvice))('npm run migrate', () => {
  test('moves a data folder to PostgreSQL, killed on the way, and everything is as it was', async () => {
    await using postgres = await startPostgres();
    execFileSync('tar', ['xzf', fixture, '-C', folder]);
    const embedded = await startWholeMesh({ dataDir: folder, sample: false });
    await expect
      .poll(async () => (await stateOf(embedded)).jobs.map(({ state }) => state), { timeout: 60_000 })
      .toEqual([JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.SUCCEEDED]);
    const before = await stateOf(embedded);
    await embedded.close(true);

    const database = await postgres.createDatabase();
    for (let kill = 0; kill < 3; kill++) {
      const args = [run, 'migrate', '--from', folder, '--to', database];
      const child = spawn(process.execPath, args, { stdio: 'ignore' });
      setTimeout(() => child.kill('SIGKILL'), 500 + 700 * kill);
      await once(child, 'exit');
    }
    const { rows } = JSON.parse((await migrate(folder, database)).stdout);
    expect(rows).toMatchObject({ audit: expect.any(Number), chat: expect.any(Number), indexer: expect.any(Number) });
    // Again: nothing is left to do, and nothing is written twice.
    expect(JSON.parse((await migrate(folder, database)).stdout)).toEqual({ rows });

    await using mesh = await startWholeMesh({ config: { storage: { database } }, sample: false });
    expect(await stateOf(mesh)).toEqual(before);
    const as = await ann(mesh);
    expect((await askWhole(mesh.client(ChatService), fee, as)).text).toContain('2323');
    const [, kept] = before.versions;
    await mesh.client(IndexAdminService).rollbackVersion({ corpus: 'rules', version: kept?.version ?? 0n }, as);
    const { documents } = await mesh.client(IndexerService).listDocuments({ corpus: 'rules', pageSize: 200 }, as);
    expect(documents.length).toBeLessThan(before.documents.length);
  }, 240_000);

  test('moves an encrypted data folder that is not the configured one', async () => {
    await using postgres = await startPostgres();
    const dataDir = join(folder, 'encrypted');
    const encryption = { keys: [{ id: 'first', key: randomBytes(32).toString('base64') }] };
    const embedded = await startWholeMesh({ dataDir, sample: false, config: { storage: { encryption } } });
    const as = await ann(embedded);
    await askWhole(embedded.client(ChatService), { ...fee, createSession: true }, as);
    const { entryCount } = await embedded.client(AuditService).verifyChain({}, as);
    await embedded.close(true);
    const config = join(folder, 'encrypted.json');
    writeFileSync(config, JSON.stringify({ data_dir: join(folder, 'another'), storage: { encryption } }));
    const database = await postgres.createDatabase();
    await migrate(dataDir, database, '--config', config);
    await using moved = await startWholeMesh({ sample: false, config: { storage: { database } } });
    const there = await ann(moved);
    expect((await moved.client(ChatService).listSessions({}, there)).sessions).toHaveLength(1);
    expect(await moved.client(AuditService).verifyChain({}, there)).toMatchObject({ intact: true, entryCount });
  }, 240_000);
});
