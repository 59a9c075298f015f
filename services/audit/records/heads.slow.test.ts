import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { recordOf } from '../testing/audit.ts';
import { openHeadsFile } from './heads-file.ts';

const folders: string[] = [];
let mesh: TestMesh | undefined;
afterEach(async () => {
  await mesh?.close();
  mesh = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-heads-'));
  folders.push(folder);
  return folder;
};

async function start(dataDir: string, headsFile?: string): Promise<TestMesh> {
  mesh = await startTestMesh([audit], {
    dataDir,
    ...(headsFile !== undefined && { config: { audit: { headsFile } } }),
  });
  return mesh;
}
async function stop(): Promise<void> {
  await mesh?.close(true);
  mesh = undefined;
}
const record = async (tenant: string, ...answerIds: string[]) => {
  const client = (mesh as TestMesh).client(AuditService);
  const options = await (mesh as TestMesh).as(testPrincipal({ tenant }));
  for (const answerId of answerIds) await client.record(recordOf(answerId), options);
};
const verify = async (tenant: string) =>
  (mesh as TestMesh).client(AuditService).verifyChain({}, await (mesh as TestMesh).as(testPrincipal({ tenant })));
const degraded = () =>
  (mesh as TestMesh).host
    .readiness()
    .flatMap((report) => report.degraded)
    .join();

/** Records three answers of acme and one of bolt, stops, and runs `damage` on the database. */
async function afterDamage(damage: (path: string) => void, headsFile?: string): Promise<string> {
  const dataDir = newFolder();
  await start(dataDir, headsFile);
  await record('acme', 'a1');
  await stop();
  const path = join(dataDir, 'audit', 'audit.db');
  copyFileSync(path, `${path}.old`);
  await start(dataDir, headsFile);
  await record('acme', 'a2', 'a3');
  await record('bolt', 'b1');
  await stop();
  damage(path);
  await start(dataDir, headsFile);
  return path;
}

const damages: [string, (path: string) => void, bigint][] = [
  ['is deleted', (path) => rmSync(path), 0n],
  ['is replaced by an older copy', (path) => copyFileSync(`${path}.old`, path), 1n],
  [
    'lost its end, and the record of it',
    (path) => {
      const db = new DatabaseSync(path);
      db.exec(`DELETE FROM entries WHERE tenant = 'acme' AND sequence > 2; DELETE FROM entries WHERE tenant = 'bolt'`);
      db.exec(`DELETE FROM chains WHERE tenant = 'bolt';
        UPDATE chains SET last_sequence = 2, last_hash = (SELECT hash FROM entries WHERE tenant = 'acme' AND sequence = 2) WHERE tenant = 'acme'`);
      db.close();
    },
    2n,
  ],
];

test.each(damages)(
  'an audit database that %s is found, and no new chain begins in its place',
  async (_, damage, left) => {
    await afterDamage(damage);
    await expect.poll(degraded).toContain('2 chains lost entries: restore the audit database');
    expect(await verify('acme')).toMatchObject({ intact: false, entryCount: left, firstBadSequence: left + 1n });
    expect(await verify('bolt')).toMatchObject({ intact: false, firstBadSequence: 1n });
    await expect(record('acme', 'a4')).rejects.toThrow('the audit chain of this tenant is broken at its end');
    await expect(record('bolt', 'b2')).rejects.toThrow('broken');
    // Another tenant, without a chain before, is not concerned.
    await record('core', 'c1');
    expect(await verify('core')).toMatchObject({ intact: true, entryCount: 1n });
  },
);

test('an operator accepts the loss by removing the lines of the tenant', async () => {
  const path = await afterDamage((database) => rmSync(database));
  await stop();
  const file = join(path, '..', 'heads.jsonl');
  const lines = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, lines.filter((line) => !line.includes('"acme"')).join('\n'));
  await start(join(path, '..', '..'));
  await record('acme', 'a4');
  expect(await verify('acme')).toMatchObject({ intact: true, entryCount: 1n });
  await expect(record('bolt', 'b2')).rejects.toThrow('broken');
});

test('a chain that was forged as a whole, with right hashes, is found by the end that is kept elsewhere', async () => {
  const elsewhere = join(newFolder(), 'volume', 'heads.jsonl');
  const path = await afterDamage((database) => rmSync(database), elsewhere);
  expect(existsSync(elsewhere)).toBe(true);
  expect(existsSync(join(path, '..', 'heads.jsonl'))).toBe(false);
  await stop();
  // Another process, which does not know the file, makes a longer chain.
  await start(join(path, '..', '..'), join(newFolder(), 'heads.jsonl'));
  await record('acme', 'x1', 'x2', 'x3', 'x4');
  expect(await verify('acme')).toMatchObject({ intact: true });
  await stop();
  await start(join(path, '..', '..'), elsewhere);
  expect(await verify('acme')).toMatchObject({ intact: false, firstBadSequence: 3n });
  await expect.poll(degraded).toContain('2 chains lost entries');
});

test('of a whole database nothing is said, whatever the process did before', async () => {
  await afterDamage(() => {});
  await record('acme', 'a4');
  expect(await verify('acme')).toMatchObject({ intact: true, entryCount: 4n });
  expect(degraded()).toBe('');
});

test('the file stays short, and a line that is not whole is skipped', async () => {
  const path = join(newFolder(), 'heads.jsonl');
  const log = createLogger('silent');
  const hashOf = (byte: number) => new Uint8Array(32).fill(byte);
  const long = Array.from({ length: 12_000 }, (_, index) => ({
    tenant: 'acme',
    sequence: index + 1,
    hash: '07'.repeat(32),
  }));
  writeFileSync(path, `${long.map((line) => JSON.stringify(line)).join('\n')}\n{"tenant":"acme","sequ`);
  const heads = await openHeadsFile(path, () => 0, log);
  expect(heads.of('acme')?.sequence).toBe(12_000);
  heads.note({ tenant: 'bolt', sequence: 2, hash: hashOf(2) });
  heads.note({ tenant: 'bolt', sequence: 1, hash: hashOf(1) });
  await heads.close();
  const again = await openHeadsFile(path, () => 0, log);
  expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2);
  expect(again.of('bolt')).toEqual({ tenant: 'bolt', sequence: 2, hash: Buffer.from(hashOf(2)) });
  await again.close();
});
