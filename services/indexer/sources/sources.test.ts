import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SourceRunState } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { four, type Settings, type SourceMesh, startSourceMesh, text } from '../testing/source-mesh.ts';

let place: SourceMesh;
let mesh: SourceMesh['mesh'];
let client: SourceMesh['client'];
beforeAll(async () => {
  place = await startSourceMesh();
  ({ mesh, client } = place);
});
afterEach(() => place.clear());
afterAll(() => place.close());

describe('a source stays in step', () => {
  test('new, changed and unchanged entries', async () => {
    const source = await place.define(four);
    expect(await source.ran()).toMatchObject({ state: SourceRunState.SUCCEEDED, listedCount: 4n, changedCount: 4n });
    expect(await source.documents()).toEqual(['a.md', 'b.md', 'c.md', 'd.md']);
    source.write({ 'b.md': text('another b'), 'e.md': text('e') });
    expect(await source.run()).toMatchObject({ listedCount: 5n, changedCount: 2n, jobIds: [expect.any(String)] });
    expect(await source.textOf('b.md')).toContain('another b');
    expect(await source.run()).toMatchObject({ listedCount: 5n, changedCount: 0n, jobIds: [] });
  });
});

describe('who may define and see a source', () => {
  const create = async (more: Settings, groups: string[] = []) =>
    client.createSource(
      { settings: { name: 'x', corpus: 'x', adapter: 'folder', settings: { path: place.allowed }, ...more } },
      await mesh.as(testPrincipal({ groups })),
    );

  test.each([
    ['adapter', { adapter: 'nothing' }, 'no adapter "nothing"'],
    ['setting', { settings: { path: '/etc', depth: 1 } }, 'settings.settings.depth'],
    ['schedule', { schedule: 'every day' }, 'five fields of cron'],
    ['secret of another tenant', { settings: { path: `$${'{KEY}'}` } }, 'no secret "KEY" of this tenant'],
    ['secret as it is', { adapter: 'web', settings: { start_urls: ['http://x'], authorization: 'k' } }, 'is a secret'],
  ])('not with a wrong %s', async (_, more, words) => {
    await expect(create(more)).rejects.toThrow(words);
  });

  test('a test reads what the indexer may read, and stores nothing', async () => {
    const settings = { name: 'y', corpus: 'y', adapter: 'folder', settings: { path: '/etc' } };
    const test = async (path: string) =>
      client.testSource({ source: { case: 'settings', value: { ...settings, settings: { path } } } }, await mesh.as());
    expect(await test('/etc')).toMatchObject({ problem: expect.stringContaining('allowed_folders'), entryIds: [] });
    const folder = mkdtempSync(join(place.allowed, 'test-'));
    writeFileSync(join(folder, 'one.md'), 'one');
    expect(await test(folder)).toMatchObject({ problem: '', entryIds: ['one.md'], sizeBytes: 3n });
    const web = { ...settings, adapter: 'web', settings: { start_urls: ['http://127.0.0.1:8080/'] } };
    const refused = await client.testSource({ source: { case: 'settings', value: web } }, await mesh.as());
    expect(refused.problem).toContain('is no address on the public internet');
  });

  test('a source is visible to callers with all groups of its creator', async () => {
    const { source } = await create({ name: 'private' }, ['staff', 'legal']);
    const sourceId = source?.sourceId ?? '';
    place.made.push(sourceId);
    const as = (groups: string[], tenant = 'acme') => mesh.as(testPrincipal({ groups, tenant }));
    for (const options of [await as(['staff']), await as(['staff', 'legal'], 'other')]) {
      const absent = { code: Code.NotFound };
      await expect(client.getSource({ sourceId }, options)).rejects.toMatchObject(absent);
      await expect(client.deleteSource({ sourceId }, options)).rejects.toMatchObject(absent);
      expect((await client.listSources({}, options)).sources).toEqual([]);
    }
    const both = await as(['legal', 'staff', 'more']);
    expect((await client.listSources({}, both)).sources).toMatchObject([{ sourceId, createdBy: 'ann' }]);
    await client.deleteSource({ sourceId }, both);
  });
});
