import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../../e2e/testing/whole-mesh.ts';

// The commands of deployments/BACKUP.md, as they are there.

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(join(root, 'deployments/BACKUP.md'), 'utf8');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text.trim());
const commandOf = (start: string): string => {
  const found = commands.find((command) => command.startsWith(start));
  if (found === undefined) throw new Error(`the page has no command ${start}`);
  return found;
};
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-disaster-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (command: string, env: Record<string, string>) =>
  promisify(execFile)('sh', ['-c', command], { cwd: root, env: { ...process.env, ...env } });

const roles = [Role.READER, Role.EDITOR, Role.OPERATOR, Role.AUDITOR, Role.SERVICE];
const demo = (mesh: WholeMesh) => mesh.as(testPrincipal({ tenant: 'demo', groups: ['staff'], roles }));

/** All that must be the same after a restore. */
async function countsOf(mesh: WholeMesh) {
  const options = await demo(mesh);
  const chain = await mesh.client(AuditService).verifyChain({}, options);
  const { rows } = await mesh.client(AuditService).getUsageReport({}, options);
  const { sessions } = await mesh.client(ChatService).listSessions({}, options);
  const { documents } = await mesh.client(IndexerService).listDocuments({ corpus: 'shop', pageSize: 200 }, options);
  const index = await mesh.client(IndexWriterService).countIndex({ corpus: 'shop' }, options);
  return {
    chain: { intact: chain.intact, entryCount: chain.entryCount },
    usage: rows.map(({ day, model, user, answerCount }) => ({ day, model, user, answerCount })),
    sessions: sessions.map(({ sessionId, turnCount }) => ({ sessionId, turnCount })),
    documents: documents.map(({ documentId }) => documentId).sort(),
    index: { chunks: index.chunkCount, vectors: index.vectorCount, keywords: index.keywordCount },
  };
}

async function use(mesh: WholeMesh): Promise<void> {
  const options = await demo(mesh);
  for (const question of ['Are fabric swatches free?', '退款需要多久？', 'How long do I have to send back bedding?']) {
    await askWhole(mesh.client(ChatService), { question, corpora: ['shop'], createSession: true }, options);
  }
}

async function expectAnswer(mesh: WholeMesh): Promise<void> {
  const question = 'Are fabric swatches really free?';
  const { citations } = await askWhole(mesh.client(ChatService), { question, corpora: ['shop'] }, await demo(mesh));
  expect(citations.length).toBeGreaterThan(0);
}

test('every command of the page is run here', () => {
  expect(commands.map((command) => command.split(' ').slice(0, 4).join(' ').split(' --')[0])).toEqual([
    'npm run',
    'npm run',
    'pg_dump',
    'pg_restore',
  ]);
});

test('a machine that is lost is made again from its backup: counts and chain are equal', async () => {
  const dataDir = join(folder, 'data');
  const env = { BACKUPS: join(folder, 'backups') };
  mkdirSync(env.BACKUPS);
  let before: Awaited<ReturnType<typeof countsOf>>;
  {
    await using mesh = await startWholeMesh({ dataDir });
    await use(mesh);
    before = await countsOf(mesh);
    await run(commandOf('npm run --silent backup'), { ...env, RAGMESH_DATA_DIR: dataDir });
  }
  expect(before.chain).toEqual({ intact: true, entryCount: 3n });
  expect(before.documents.length).toBeGreaterThan(50);
  rmSync(dataDir, { recursive: true, force: true });
  const empty = join(folder, 'empty');
  await run(commandOf('npm run --silent restore'), { ...env, RAGMESH_DATA_DIR: empty });
  await using mesh = await startWholeMesh({ dataDir: empty, sample: false });
  expect(await countsOf(mesh)).toEqual(before);
  await expectAnswer(mesh);
}, 300_000);

const canDump = hasPostgres && hasCommand('pg_dump') && hasCommand('pg_restore');
describe.skipIf(!canDump && skipped('postgres', 1, postgresAdvice))('with PostgreSQL', () => {
  test('a database that is lost is made again from its dump: counts and chain are equal', async () => {
    await using postgres = await startPostgres();
    const [database, emptyDatabase] = [await postgres.createDatabase(), await postgres.createDatabase()];
    const env = { BACKUPS: folder, DATABASE: database, EMPTY_DATABASE: emptyDatabase };
    let before: Awaited<ReturnType<typeof countsOf>>;
    {
      await using mesh = await startWholeMesh({ config: { storage: { database } } });
      await use(mesh);
      before = await countsOf(mesh);
      await run(commandOf('pg_dump'), env);
    }
    await run(commandOf('pg_restore'), env);
    await using mesh = await startWholeMesh({ sample: false, config: { storage: { database: emptyDatabase } } });
    expect(await countsOf(mesh)).toEqual(before);
    await expectAnswer(mesh);
  }, 300_000);
});
