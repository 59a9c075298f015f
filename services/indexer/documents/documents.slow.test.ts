import { Code } from '@connectrpc/connect';
import { describe, expect, onTestFinished, test } from 'vitest';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { outage } from '../testing/index-stand-in.ts';
import { type IndexerMesh, jsonl, recordsOf, startIndexerMesh } from '../testing/indexer-mesh.ts';

/** Time limit of a poll, long enough for a busy machine. */
const patient = { timeout: 20_000, interval: 10 };

const start = async (): Promise<IndexerMesh> => {
  const mesh = await startIndexerMesh();
  onTestFinished(() => mesh.mesh.close());
  return mesh;
};
const rows = (mesh: IndexerMesh, statement: string) => recordsOf(mesh.mesh.dataDir, statement);
const remove = async (mesh: IndexerMesh, ...documentIds: string[]) =>
  mesh.client.deleteDocuments({ corpus: 'help', documentIds }, await mesh.as());
const textOf = async (mesh: IndexerMesh, documentId: string) =>
  (await mesh.client.getDocument({ corpus: 'help', documentId }, await mesh.as())).text;

describe('a deletion', () => {
  test('is complete when it returns: in every version, in the store, and in the counts', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.jsonl': jsonl(3) });
    await mesh.ingest({ 'a.jsonl': jsonl(3, (at) => `Newer text of ${at}.`) });
    const deleted = await remove(mesh, 'd1', 'd2', 'd2', 'nothing');
    expect(deleted).toMatchObject({ documentCount: 2n, revision: '3' });
    expect([...mesh.index.live('help').keys()]).toEqual(['d0']);
    expect(await rows(mesh, 'SELECT DISTINCT document_id FROM documents')).toEqual([{ document_id: 'd0' }]);
    expect(await rows(mesh, 'SELECT DISTINCT document_id FROM document_groups')).toEqual([{ document_id: 'd0' }]);
    expect(await rows(mesh, 'SELECT * FROM deletions')).toEqual([]);
    await expect(textOf(mesh, 'd1')).rejects.toMatchObject({ code: Code.NotFound });
    expect((await mesh.client.listDocuments({ corpus: 'help' }, await mesh.as())).documents).toHaveLength(1);
  });

  test('of nothing in a corpus that does not exist deletes nothing; an empty list is refused', async () => {
    const mesh = await start();
    expect((await remove(mesh, 'a')).documentCount).toBe(0n);
    await expect(remove(mesh)).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test.each([0, 1, 2])('has precedence over a running job at any point (after %i batches)', async (batches) => {
    const mesh = await start();
    await mesh.ingest({ 'old.jsonl': jsonl(2, undefined, 'old') });
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    let calls = 0;
    mesh.embedding.before = () => {
      if (calls++ < batches) return;
      reached.resolve();
      return gate.promise;
    };
    const jobId = await mesh.upload({ 'a.jsonl': jsonl(600), 'old.jsonl': jsonl(2, () => 'Changed.', 'old') });
    await reached.promise;
    await remove(mesh, 'd0', 'd130', 'd260', 'd599', 'old1');
    gate.resolve();
    const job = await mesh.finish(jobId);
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attemptCount: 1 });
    expect(mesh.index.live('help').size).toBe(600 + 2 - 5);
    for (const documentId of ['d0', 'd130', 'd260', 'd599', 'old1']) {
      expect(mesh.index.live('help').has(documentId)).toBe(false);
      expect(await rows(mesh, `SELECT * FROM documents WHERE document_id = '${documentId}'`)).toEqual([]);
    }
    await expect.poll(() => rows(mesh, 'SELECT * FROM deletions'), patient).toEqual([]);
  });

  test('does not stop a later upload from adding the document again', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.md': 'A' });
    await remove(mesh, 'a.md');
    await mesh.ingest({ 'a.md': 'A' });
    expect(await textOf(mesh, 'a.md')).toBe('A');
  });

  test('that fails in the index is completed later', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.md': 'A' });
    mesh.index.intercept((rpc) => {
      if (rpc === 'purge') throw outage();
    });
    await expect(remove(mesh, 'a.md')).rejects.toMatchObject({ code: Code.Unavailable });
    mesh.index.intercept(() => {});
    await expect.poll(() => mesh.index.live('help').size, patient).toBe(0);
    await expect.poll(() => rows(mesh, 'SELECT * FROM documents'), patient).toEqual([]);
  });
});

describe('texts', () => {
  const versions = async (mesh: IndexerMesh, from: number, to: number) => {
    for (let version = from; version <= to; version++) {
      const job = await mesh.ingest({ 'a.md': `Text ${version}`, 'b.md': 'B' });
      expect(job.version).toBe(BigInt(version));
    }
  };
  const kept = async (mesh: IndexerMesh) =>
    (await rows(mesh, "SELECT text FROM documents WHERE document_id = 'a.md' ORDER BY text")).map(({ text }) => text);

  test('stay as long as a version that can become live again holds them', async () => {
    const mesh = await start();
    await versions(mesh, 1, 6);
    expect(await kept(mesh)).toEqual(['Text 4', 'Text 5', 'Text 6']);
    mesh.index.rollback('help', 4n);
    expect(await textOf(mesh, 'a.md')).toBe('Text 4');
    const { documents } = await mesh.client.listDocuments({ corpus: 'help' }, await mesh.as());
    expect(documents.map(({ documentId }) => documentId)).toEqual(['a.md', 'b.md']);
  });

  test('of a version that is live again are not treated as old', async () => {
    const mesh = await start();
    await versions(mesh, 1, 3);
    mesh.index.rollback('help', 2n);
    for (let count = 0; count < 5; count++) {
      await mesh.ingest({ 'b.md': `B ${count}` });
      expect(await textOf(mesh, 'a.md')).toBe('Text 2');
    }
    expect(await kept(mesh)).toEqual(['Text 2']);
  });

  test('of removed documents are deleted with the last version that held them', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.md': 'A', 'b.md': 'B' });
    await mesh.ingest({ 'b.md': 'B' }, { deleteMissing: true });
    expect(await kept(mesh)).toEqual(['A']);
    for (let count = 0; count < 3; count++) await mesh.ingest({ 'b.md': `B ${count}` });
    expect(await kept(mesh)).toEqual([]);
  });

  test('that were lost are stored again by the next upload, without an index write', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.md': 'A' });
    await rows(mesh, 'DELETE FROM documents');
    await expect(textOf(mesh, 'a.md')).rejects.toMatchObject({ code: Code.NotFound });
    const job = await mesh.ingest({ 'a.md': 'A' });
    expect(job).toMatchObject({ version: 0n, progress: { unchangedCount: 1n } });
    expect(await textOf(mesh, 'a.md')).toBe('A');
  });
});

describe('a list of documents', () => {
  test('is searched by id and title, with page after page, and signs of patterns are letters', async () => {
    const mesh = await start();
    await mesh.ingest({
      'returns.md': '# Returns of lamps\n\nWithin 15 days.',
      'lamp_100%.md': '# 落地灯\n\nWarm light.',
      'LAMP-7.md': '# Seven\n\nCold light.',
      'rugs.md': '# Rugs\n\nWool.',
    });
    const search = async (text: string) => {
      const found: string[] = [];
      let pageToken = '';
      do {
        const page = await mesh.client.listDocuments(
          { corpus: 'help', search: text, pageSize: 1, pageToken },
          await mesh.as(),
        );
        found.push(...page.documents.map(({ documentId }) => documentId));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      return found;
    };
    expect(await search('lamp')).toEqual(['LAMP-7.md', 'lamp_100%.md', 'returns.md']);
    expect(await search('落地')).toEqual(['lamp_100%.md']);
    expect(await search('0%.')).toEqual(['lamp_100%.md']);
    expect(await search('p_1')).toEqual(['lamp_100%.md']);
    expect(await search('s_s')).toEqual([]);
    expect(await search('')).toHaveLength(4);
  });

  test('is searched by the title that is live, not by an earlier one', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.md': '# Kettles\n\nWater.' });
    await mesh.ingest({ 'a.md': '# Pots\n\nWater.' });
    const search = async (text: string) =>
      (await mesh.client.listDocuments({ corpus: 'help', search: text }, await mesh.as())).documents.length;
    expect([await search('kettles'), await search('POTS')]).toEqual([0, 1]);
  });
});
