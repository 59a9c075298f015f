import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Client, Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type SourceRun,
  SourceRunState,
  SourceService,
  type SourceSettingsSchema,
} from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, startIndexerMesh } from '../testing/indexer-mesh.ts';

let mesh: IndexerMesh;
let client: Client<typeof SourceService>;
const allowed = mkdtempSync(join(tmpdir(), 'ragmesh-sources-'));
beforeAll(async () => {
  const secrets = [{ tenant: 'other', name: 'KEY', value: 'k' }];
  mesh = await startIndexerMesh({ config: { sources: { allowedFolders: [allowed], secrets } } });
  client = mesh.mesh.client(SourceService);
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  rmSync(allowed, { recursive: true });
});

type Settings = MessageInitShape<typeof SourceSettingsSchema>;
let count = 0;
const made: string[] = [];
afterEach(async () => {
  for (const sourceId of made.splice(0)) await client.deleteSource({ sourceId }, await mesh.as()).catch(() => {});
});

/** Defines a source over a folder of its own, with files, and returns what a test does with it. */
async function define(files: Record<string, string>, more: Settings = {}) {
  const name = `s${++count}`;
  const folder = mkdtempSync(join(allowed, 'place-'));
  const write = (changed: Record<string, string>) => {
    for (const [path, text] of Object.entries(changed)) writeFileSync(join(folder, path), text);
  };
  write(files);
  const settings: Settings = { name, corpus: name, adapter: 'folder', settings: { path: folder }, ...more };
  const { source } = await client.createSource({ settings }, await mesh.as());
  const sourceId = source?.sourceId ?? '';
  made.push(sourceId);
  let runCount = 0;
  /** Waits for the end of the next run, and of its jobs. */
  const ran = async (): Promise<SourceRun> => {
    runCount++;
    const last = await expect
      .poll(
        async () => {
          const { runs } = await client.listSourceRuns({ sourceId }, await mesh.as());
          const run = runs.at(-runCount);
          return run !== undefined && run.state !== SourceRunState.RUNNING ? run : undefined;
        },
        { timeout: 20_000, interval: 20 },
      )
      .toBeDefined()
      .then(async () => (await client.listSourceRuns({ sourceId }, await mesh.as())).runs.at(-runCount));
    for (const jobId of last?.jobIds ?? []) await mesh.finish(jobId);
    return last as SourceRun;
  };
  return {
    sourceId,
    name,
    write,
    remove: (...paths: string[]) => {
      for (const path of paths) rmSync(join(folder, path));
    },
    ran,
    async run(options: { dryRun?: boolean; full?: boolean } = {}): Promise<SourceRun> {
      await client.runSource({ sourceId, ...options }, await mesh.as());
      return ran();
    },
    find: async () => (await client.getSource({ sourceId }, await mesh.as())).source,
    documents: async (groups: string[] = []) => {
      const { documents } = await mesh.client.listDocuments({ corpus: name }, await mesh.as(testPrincipal({ groups })));
      return documents.map(({ documentId }) => documentId.slice(name.length + 1));
    },
    textOf: async (path: string) => {
      const { text } = await mesh.client.getDocument({ corpus: name, documentId: `${name}/${path}` }, await mesh.as());
      return text;
    },
  };
}

const text = (of: string) => `# ${of}\n\nWhat is known of ${of}.\n`;
const four = { 'a.md': text('a'), 'b.md': text('b'), 'c.md': text('c'), 'd.md': text('d') };

describe('a source stays in step', () => {
  test('new, changed and unchanged entries', async () => {
    const source = await define(four);
    expect(await source.ran()).toMatchObject({ state: SourceRunState.SUCCEEDED, listedCount: 4n, changedCount: 4n });
    expect(await source.documents()).toEqual(['a.md', 'b.md', 'c.md', 'd.md']);
    source.write({ 'b.md': text('another b'), 'e.md': text('e') });
    expect(await source.run()).toMatchObject({ listedCount: 5n, changedCount: 2n, jobIds: [expect.any(String)] });
    expect(await source.textOf('b.md')).toContain('another b');
    expect(await source.run()).toMatchObject({ listedCount: 5n, changedCount: 0n, jobIds: [] });
  });

  test('an entry is removed after two complete listings without it', async () => {
    const source = await define(four);
    await source.ran();
    source.remove('a.md');
    expect(await source.run()).toMatchObject({ removedCount: 0n, isListingComplete: true });
    expect(await source.documents()).toHaveLength(4);
    expect(await source.run()).toMatchObject({ removedCount: 1n, heldCount: 0n });
    expect(await source.documents()).toEqual(['b.md', 'c.md', 'd.md']);
    expect(await source.run()).toMatchObject({ removedCount: 0n, changedCount: 0n });
    expect(await source.find()).toMatchObject({ entryCount: 3n });
  });

  test('an entry that is back in between stays', async () => {
    const source = await define(four);
    await source.ran();
    source.remove('a.md');
    await source.run();
    source.write({ 'a.md': text('a') });
    await source.run();
    source.remove('a.md');
    expect(await source.run()).toMatchObject({ removedCount: 0n });
    expect(await source.documents()).toHaveLength(4);
  });

  test('more than 30 % wait for an operator, who approves what was shown', async () => {
    const source = await define(four);
    const { sourceId } = source;
    await source.ran();
    source.remove('a.md', 'b.md');
    await source.run();
    expect(await source.run()).toMatchObject({ removedCount: 0n, heldCount: 2n });
    expect(await source.documents()).toHaveLength(4);
    expect(await client.listSourceDeletions({ sourceId, pageSize: 1 }, await mesh.as())).toMatchObject({
      entryIds: ['a.md'],
      nextPageToken: expect.stringMatching(/./),
    });
    await expect(client.approveDeletions({ sourceId, removalCount: 1n }, await mesh.as())).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    await client.approveDeletions({ sourceId, removalCount: 2n }, await mesh.as());
    expect(await source.ran()).toMatchObject({ removedCount: 2n, heldCount: 0n });
    expect(await source.documents()).toEqual(['c.md', 'd.md']);
  });

  test('a place that cannot be read removes nothing, and is tried again later', async () => {
    const source = await define(four, { maxRemovalPercent: 100 });
    await source.ran();
    const path = String((await source.find())?.settings?.settings?.path);
    renameSync(path, `${path}-away`);
    for (let run = 0; run < 3; run++) {
      const failed = await source.run();
      expect(failed).toMatchObject({ state: SourceRunState.FAILED, error: expect.stringContaining('allowed_folders') });
    }
    expect(await source.documents()).toHaveLength(4);
    expect(await source.find()).toMatchObject({ failureCount: 3, error: expect.stringContaining('allowed_folders') });
    renameSync(`${path}-away`, path);
    expect(await source.run()).toMatchObject({ state: SourceRunState.SUCCEEDED, changedCount: 0n });
    expect(await source.find()).toMatchObject({ failureCount: 0, error: '' });
  });

  test('what a failed job would have written is written by the next run', async () => {
    const source = await define(four);
    await source.ran();
    mesh.index.intercept((rpc) => {
      if (rpc === 'begin') throw invalidArgument('a fault that no retry fixes');
    });
    source.write({ 'a.md': text('new a') });
    await source.run();
    mesh.index.intercept(() => {});
    expect(await source.textOf('a.md')).not.toContain('new a');
    expect(await source.run()).toMatchObject({ changedCount: 1n });
    expect(await source.textOf('a.md')).toContain('new a');
  });

  test('a dry run counts and changes nothing, also while the source is paused', async () => {
    const source = await define(four, { maxRemovalPercent: 100 });
    const { sourceId } = source;
    await source.ran();
    source.remove('a.md');
    await source.run();
    source.write({ 'b.md': text('new b'), 'e.md': text('e') });
    await client.pauseSource({ sourceId }, await mesh.as());
    await expect(client.runSource({ sourceId }, await mesh.as())).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    const counts = { isDryRun: true, listedCount: 4n, changedCount: 2n, removedCount: 1n, jobIds: [] };
    expect(await source.run({ dryRun: true })).toMatchObject(counts);
    expect(await source.documents()).toHaveLength(4);
    await client.resumeSource({ sourceId }, await mesh.as());
    expect(await source.ran()).toMatchObject({ changedCount: 2n, removedCount: 1n });
    expect(await source.documents()).toEqual(['b.md', 'c.md', 'd.md', 'e.md']);
  });

  test('with other access its documents are written again', async () => {
    const source = await define(four);
    await source.ran();
    const { settings: place } = (await source.find())?.settings ?? {};
    const { name } = source;
    const changed = {
      name,
      corpus: name,
      adapter: 'folder',
      ...(place && { settings: place }),
      defaultAccess: { groups: ['staff'] },
    };
    await client.updateSource({ sourceId: source.sourceId, settings: changed }, await mesh.as());
    await source.ran();
    expect(await source.documents()).toEqual([]);
    expect(await source.documents(['staff'])).toHaveLength(4);
    source.write({ 'a.md': text('new a') });
    await source.run();
    const documentId = `${source.name}/a.md`;
    const staff = await mesh.as(testPrincipal({ groups: ['staff'] }));
    expect((await mesh.client.getDocument({ corpus: source.name, documentId }, staff)).text).toContain('new a');
  });

  test('its documents stay when it is deleted, or go with it', async () => {
    const source = await define(four);
    const { sourceId } = source;
    await source.ran();
    await client.deleteSource({ sourceId }, await mesh.as());
    expect(await source.documents()).toHaveLength(4);
    const second = await define({ 'x.md': text('x') });
    await second.ran();
    const ended = await client.deleteSource({ sourceId: second.sourceId, removeDocuments: true }, await mesh.as());
    await mesh.finish(ended.jobId);
    expect(await second.documents()).toEqual([]);
    await expect(client.getSource({ sourceId }, await mesh.as())).rejects.toMatchObject({ code: Code.NotFound });
  });
});

describe('who may define and see a source', () => {
  const create = async (more: Settings, groups: string[] = []) =>
    client.createSource(
      { settings: { name: 'x', corpus: 'x', adapter: 'folder', settings: { path: allowed }, ...more } },
      await mesh.as(testPrincipal({ groups })),
    );

  test.each([
    ['adapter', { adapter: 'nothing' }, 'no adapter "nothing"'],
    ['setting', { settings: { path: allowed, depth: 1 } }, 'settings.settings.depth'],
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
    const folder = mkdtempSync(join(allowed, 'test-'));
    writeFileSync(join(folder, 'one.md'), 'one');
    expect(await test(folder)).toMatchObject({ problem: '', entryIds: ['one.md'], sizeBytes: 3n });
    const web = { ...settings, adapter: 'web', settings: { start_urls: ['http://127.0.0.1:8080/'] } };
    const refused = await client.testSource({ source: { case: 'settings', value: web } }, await mesh.as());
    expect(refused.problem).toContain('is no address on the public internet');
  });

  test('a source is visible to callers with all groups of its creator', async () => {
    const { source } = await create({ name: 'private' }, ['staff', 'legal']);
    const sourceId = source?.sourceId ?? '';
    made.push(sourceId);
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
