import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { EncryptionConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { readEncryption } from '#kit/storage/encryption/settings.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { backUp } from '../../cli/backup/backup.ts';
import { restoreFolder } from '../../cli/backup/restore.ts';
import { plant, planted, plantedFiles } from '../testing/erasure-world.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

const silent = { update: () => {}, end: () => {} };
const newKey = (id: string) => ({ id, key: randomBytes(32).toString('base64') });
const keyed = (...keys: { id: string; key: string }[]) => ({ storage: { encryption: { keys } } });
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const newFolder = (): string => {
  const folder = join(tmpdir(), `ragmesh-encrypted-${randomBytes(6).toString('hex')}`);
  folders.push(folder);
  return folder;
};
const start = (dataDir: string | undefined, config: object) =>
  startWholeMesh({ sample: false, config, ...(dataDir !== undefined && { dataDir }) });

/** Returns the files of a folder that someone could read: databases without encryption, keys. */
function readableFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /SQLite format 3|PRIVATE KEY|rm_dev_|^[\da-f]{64}\s*$/.test(readFileSync(path, 'latin1')));
}

/** Checks that a mesh has all that was planted. */
async function expectPlanted(mesh: WholeMesh): Promise<void> {
  const own = await mesh.as(testPrincipal({ tenant: 'demo', user: planted.user }));
  const { sessions } = await mesh.client(ChatService).listSessions({}, own);
  const turns = await Promise.all(
    sessions.map(async ({ sessionId }) => (await mesh.client(ChatService).getSession({ sessionId }, own)).turns),
  );
  expect(JSON.stringify(turns.flat().map(({ question }) => question))).toContain(planted.question);
  const { documents } = await mesh.client(IndexerService).listDocuments({ corpus: 'people' }, own);
  expect(documents).toHaveLength(1);
  const check = await mesh.client(AuditService).verifyChain({}, own);
  expect(check).toMatchObject({ intact: true, keyMissingCount: 0n });
  expect(check.entryCount).toBeGreaterThan(0n);
}

test('no byte of an encrypted data folder or of its backup has a planted value, and all of it is there after a start and a restore', async () => {
  const key = newKey('first');
  const first = await start(undefined, keyed(key));
  const { dataDir } = first;
  folders.push(dataDir);
  await plant(first);
  await expectPlanted(first);
  expect(plantedFiles(dataDir)).toEqual({});
  expect(readableFiles(dataDir)).toEqual([]);
  const copy = newFolder();
  await backUp(dataDir, copy, silent);
  expect(plantedFiles(copy)).toEqual({});
  await first.close(true);
  expect(plantedFiles(dataDir)).toEqual({});
  expect(readableFiles(dataDir)).toEqual([]);
  expect(statSync(join(dataDir, 'encryption.json')).mode & 0o777).toBe(0o600);

  const again = await start(dataDir, keyed(key));
  await expectPlanted(again);
  await again.close(true);

  const restored = newFolder();
  await restoreFolder(copy, restored, silent);
  const fromCopy = await start(restored, keyed(key));
  await expectPlanted(fromCopy);
  await fromCopy.close(true);
  expect(plantedFiles(restored)).toEqual({});
});

test('a missing, wrong or unknown key stops the start and says what to do; a new first key wraps the old one', async () => {
  const [old, next] = [newKey('old'), newKey('next')];
  const first = await start(undefined, keyed(old));
  const { dataDir } = first;
  folders.push(dataDir);
  await plant(first);
  await first.close(true);
  const problemOf = async (config: object) => {
    const error = await start(dataDir, config).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  };
  expect(await problemOf({})).toContain(`storage.encryption: is not set, and ${dataDir} is encrypted`);
  expect(await problemOf(keyed(newKey('old')))).toContain('the configured key "old" is another one');
  expect(await problemOf(keyed(next))).toContain('the key "old" has wrapped its key: configure it');
  expect(await problemOf({ storage: { encryption: {} } })).toContain('has no key: set "keys"');

  const both = await start(dataDir, keyed(next, old));
  await both.close(true);
  expect(await problemOf(keyed(old))).toContain('the key "next" has wrapped its key');
  const rotated = await start(dataDir, keyed(next));
  await expectPlanted(rotated);
  await rotated.close(true);
});

test('a folder that has files is not encrypted silently; a restore with a key encrypts them', async () => {
  const folder = newFolder();
  const headsFile = join(folder, 'ends of chains');
  const audit = { headsFile };
  const plain = await start(folder, { audit });
  const { dataDir } = plain;
  folders.push(dataDir);
  await plant(plain);
  await expect.poll(() => existsSync(headsFile), { timeout: 20_000 }).toBe(true);
  const copy = newFolder();
  await backUp(dataDir, copy, silent);
  await plain.close(true);
  expect(Object.keys(plantedFiles(copy))).not.toEqual([]);
  const key = newKey('first');
  await expect(start(dataDir, keyed(key))).rejects.toThrow('has files that are not encrypted: back it up');

  const encrypted = newFolder();
  const headsThere = join(encrypted, 'ends of chains');
  const wrapper = readEncryption(create(EncryptionConfigSchema, { keys: [key] }));
  await restoreFolder(copy, encrypted, silent, wrapper, ['ends of chains']);
  expect(readFileSync(headsThere, 'utf8')).toBe(readFileSync(headsFile, 'utf8'));
  expect(plantedFiles(encrypted)).toEqual({});
  expect(readableFiles(encrypted)).toEqual([]);
  const mesh = await start(encrypted, { ...keyed(key), audit: { headsFile: headsThere } });
  await expectPlanted(mesh);
  await mesh.close(true);
  expect(plantedFiles(encrypted)).toEqual({});
});
