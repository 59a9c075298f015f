import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { setFolderKey } from '#kit/storage/encryption/folder-keys.ts';
import { adapter } from '../../adapters/keyword-store/sqlite/index.ts';
import { createSqliteThreads } from '../../sqlite/threads.ts';
import type { KeywordRow } from '../../stores/keyword-store.ts';
import { createSureSnapshots } from '../../testing/snapshots.ts';
import { createBuilder } from '../build/builder.ts';
import { createSearchThreads } from '../search/search-threads.ts';
import type { ImageOutcome } from './images.ts';
import { loadImage } from './load-image.ts';

const parts = { threads: createSearchThreads(1), builder: createBuilder() };
const sqlite = createSqliteThreads(1);
const outcomes: ImageOutcome[] = [];
let folder: string;
let lastId = 0;

beforeEach(() => {
  outcomes.length = 0;
});
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-images-'));
});
afterAll(async () => {
  for (const part of [parts.builder, parts.threads, sqlite]) await part.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a store whose corpora have images, however few rows they have. */
async function open(maxBytes?: number, snapshotParts = parts, threads = sqlite) {
  const images = {
    newId: () => `i${++lastId}`,
    minRows: 1,
    onOutcome: (outcome: ImageOutcome) => void outcomes.push(outcome),
  };
  const snapshots = createSureSnapshots(maxBytes, { ...snapshotParts, images });
  const store = await adapter.create({}, { folder, threads, snapshots });
  const find = async (tenant: string, text: string) => {
    const words = [
      { word: text, weight: 1 },
      { word: 'absent', weight: 1 },
    ];
    const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
    const hits = await store.search(tenant, { text, words, scope, limit: 10 }, new AbortController().signal);
    return hits.map(({ documentId }) => documentId);
  };
  const write = async (tenant: string, rows: readonly KeywordRow[]) => {
    const documentIds = rows.map(({ documentId }) => documentId);
    await store.apply(tenant, 1, { kind: 'replace', version: 1, documentIds, rows });
  };
  return { ...store, snapshots, find, write };
}

function row(key: number, documentId: string, text: string): KeywordRow {
  const fields = { aclId: 1, language: 0, updatedMs: undefined, attributes: {}, title: '' };
  return { ...fields, key, documentId, chunkId: `${documentId}#0`, text };
}

const filesWith = (text: string) =>
  readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(text));
const images = (tenant: string) =>
  readdirSync(folder).filter((name) => name.startsWith(`t-${tenant}.`) && name.endsWith('.image'));

test('a start reads the image and adds what came later; only the owner may read the file', async () => {
  const first = await open();
  await first.write('acme', [
    row(1, 'a', 'zebra pear'),
    row(2, 'b', 'zebra plum'),
    row(3, 'c', 'corn'),
    row(4, 'd', 'corn'),
  ]);
  await first.find('acme', 'zebra');
  await first.snapshots.idle();
  expect(outcomes).toEqual(['none', 'written']);
  expect(images('acme').map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o600]);
  await first.apply('acme', 1, { kind: 'purge', documentIds: ['b'] });
  await first.close();
  const second = await open();
  expect(await second.find('acme', 'zebra')).toEqual(['a']);
  await second.close();
  expect(outcomes.slice(2)).toEqual(['used']);
});

test('the image of an encrypted folder has no word of a document, and a start reads it; a changed one is made again', async () => {
  const [plainFolder, encrypted] = [folder, mkdtempSync(join(tmpdir(), 'ragmesh-images-'))];
  folder = encrypted;
  // Threads that run already do not learn of a new key.
  setFolderKey(folder, { database: 'ab'.repeat(32), file: new Uint8Array(32).fill(7) });
  const own = { threads: createSearchThreads(1), builder: createBuilder() };
  const ownSqlite = createSqliteThreads(1);
  const openHere = () => open(undefined, own, ownSqlite);
  const first = await openHere();
  await first.write('acme', [row(1, 'a', 'quagga pear'), row(2, 'b', 'corn')]);
  await first.find('acme', 'quagga');
  await first.snapshots.idle();
  await first.close();
  expect(outcomes).toEqual(['none', 'written']);
  expect(filesWith('quagga')).toEqual([]);
  const second = await openHere();
  expect(await second.find('acme', 'quagga')).toEqual(['a']);
  await second.close();
  expect(outcomes.at(-1)).toBe('used');
  const [name = ''] = images('acme');
  const bytes = readFileSync(join(folder, name));
  bytes[2] = (bytes[2] as number) ^ 1;
  writeFileSync(join(folder, name), bytes);
  const third = await openHere();
  expect(await third.find('acme', 'quagga')).toEqual(['a']);
  await third.snapshots.idle();
  await third.close();
  expect(outcomes).toContain('unusable');
  for (const part of [own.builder, own.threads, ownSqlite]) await part.close();
  rmSync(folder, { recursive: true, force: true });
  folder = plainFolder;
});

test('after an erasure no file has a word of a deleted document, and the next image has the others', async () => {
  const store = await open();
  await store.write('gone', [row(1, 'a', 'quagga pear'), row(2, 'b', 'zebra')]);
  await store.find('gone', 'zebra');
  await store.snapshots.idle();
  await store.write('gone', [row(3, 'c', 'quagga corn')]);
  await store.snapshots.idle();
  expect(filesWith('quagga')).toEqual(expect.arrayContaining(images('gone')));
  await store.apply('gone', 1, { kind: 'purge', documentIds: ['a', 'c'] });
  await store.scrub?.('gone');
  expect(filesWith('quagga')).toEqual([]);
  await store.snapshots.idle();
  expect(images('gone')).toHaveLength(1);
  expect(filesWith('quagga')).toEqual([]);
  await store.close();
  const next = await open();
  expect(await next.find('gone', 'zebra')).toEqual(['b']);
  expect(await next.find('gone', 'quagga')).toEqual([]);
  await next.close();
  expect(outcomes.at(-1)).toBe('used');
});

test('a key that comes again, as from an older catalog, makes the image invalid', async () => {
  const first = await open();
  // So many that two changes do not make a new image due before the store is closed.
  const others = Array.from({ length: 10 }, (_, index) => row(index + 3, `o${index}`, 'pear'));
  await first.write('again', [row(1, 'a', 'zebra'), row(2, 'b', 'zebra'), ...others]);
  await first.find('again', 'zebra');
  await first.snapshots.idle();
  await first.apply('again', 1, { kind: 'forget', keys: [1] });
  await first.write('again', [row(1, 'other', 'corn')]);
  await first.close();
  outcomes.length = 0;
  const second = await open();
  expect(await second.find('again', 'zebra')).toEqual(['b']);
  expect(await second.find('again', 'corn')).toEqual(['other']);
  await second.close();
  expect(outcomes).toContain('none');
});

test('a database of an earlier release has no image', () => {
  const source = { path: join(folder, 't-old.db'), extensions: [], corpusId: 1, vectors: undefined };
  expect(loadImage(new DatabaseSync(':memory:'), source, '1', true)).toEqual({ kind: 'none' });
});

test('all images together have at most the bytes of the memory: the oldest go', async () => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const store = await open(400_000);
  const words = Array.from({ length: 2500 }, (_, index) => `w${index}`).join(' ');
  for (const tenant of ['a', 'b', 'c']) {
    await store.write(tenant, [row(1, 'a', words), row(2, 'b', 'zebra')]);
    await store.find(tenant, 'zebra');
    await store.snapshots.idle();
  }
  await store.close();
  expect(images('a')).toEqual([]);
  expect(images('c')).toHaveLength(1);
});
