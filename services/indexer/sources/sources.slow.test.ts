import { renameSync } from 'node:fs';
import { Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SourceRunState } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { four, type SourceMesh, startSourceMesh, text } from '../testing/source-mesh.ts';

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
  test('an entry is removed after two complete listings without it', async () => {
    const source = await place.define(four);
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
    const source = await place.define(four);
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
    const source = await place.define(four);
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
    const source = await place.define(four, { maxRemovalPercent: 100 });
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
    const source = await place.define(four);
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
    const source = await place.define(four, { maxRemovalPercent: 100 });
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
    const source = await place.define(four);
    await source.ran();
    const { settings: folder } = (await source.find())?.settings ?? {};
    const { name } = source;
    const changed = {
      name,
      corpus: name,
      adapter: 'folder',
      ...(folder && { settings: folder }),
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
    const source = await place.define(four);
    const { sourceId } = source;
    await source.ran();
    await client.deleteSource({ sourceId }, await mesh.as());
    expect(await source.documents()).toHaveLength(4);
    const second = await place.define({ 'x.md': text('x') });
    await second.ran();
    const ended = await client.deleteSource({ sourceId: second.sourceId, removeDocuments: true }, await mesh.as());
    await mesh.finish(ended.jobId);
    expect(await second.documents()).toEqual([]);
    await expect(client.getSource({ sourceId }, await mesh.as())).rejects.toMatchObject({ code: Code.NotFound });
  });
});
