import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, startIndexerMesh } from '../../testing/indexer-mesh.ts';
import { writePdf } from '../../testing/pdf/pdf-writer.ts';

let mesh: IndexerMesh;
beforeAll(async () => {
  mesh = await startIndexerMesh({
    config: { keepOriginals: ['books', 'masked'] },
    personalData: { policies: [{ corpus: 'masked' }] },
  });
});
afterAll(() => mesh.mesh.close());

const pdf = (text: string) =>
  writePdf([{ texts: [{ text, x: 72, y: 100 }] }, { texts: [{ text: 'two', x: 72, y: 90 }] }]);
const render = async (documentId: string, wish: object = {}, principal = testPrincipal(), corpus = 'books') =>
  mesh.client.renderPage({ corpus, documentId, page: 1, ...wish }, await mesh.as(principal));
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => toRpcError(error).code,
  );
const originals = () =>
  readdirSync(join(mesh.mesh.dataDir, 'indexer', 'uploads')).filter((name) => name.startsWith('original-'));

/** Returns the share of pixels of a PNG that are dark. */
function darkShare(png: Uint8Array, width: number): number {
  const start = Buffer.from(png).indexOf('IDAT');
  const size = Buffer.from(png).readUInt32BE(start - 4);
  const rows = inflateSync(png.subarray(start + 4, start + 4 + size));
  const rowBytes = 1 + width * 3;
  const dark = rows.filter((value, index) => index % rowBytes !== 0 && value < 100).length;
  return dark / rows.length;
}

test('pages of a kept PDF are shown to those who may see the document', async () => {
  const job = await mesh.ingest(
    { 'a.pdf': pdf('Apples'), 'b.pdf': { content: pdf('Secret'), groups: ['staff'] }, 'c.md': 'text' },
    { corpus: 'books' },
  );
  expect(job.state).toBe(JobState.SUCCEEDED);
  const page = await render('a.pdf', { widthPixels: 500 });
  expect(page).toMatchObject({ widthPixels: 500, pageCount: 2 });
  expect(page.heightPixels / page.widthPixels).toBeCloseTo(page.pageHeight / page.pageWidth, 2);
  const share = darkShare(page.image, page.widthPixels);
  expect(share).toBeGreaterThan(0);
  expect(share).toBeLessThan(0.2);
  expect((await render('a.pdf')).widthPixels).toBe(1000);

  expect(await codeOf(render('a.pdf', { page: 3 }))).toBe(Code.NotFound);
  expect(await codeOf(render('c.md'))).toBe(Code.NotFound);
  const reader = testPrincipal({ user: 'rob', roles: [Role.READER] });
  expect(await codeOf(render('b.pdf', {}, reader))).toBe(Code.NotFound);
  expect((await render('b.pdf', {}, testPrincipal({ ...reader, groups: ['staff'] }))).pageCount).toBe(2);
  expect(await codeOf(render('a.pdf', {}, testPrincipal({ tenant: 'other' })))).toBe(Code.NotFound);
  const has = async (documentId: string) =>
    (await mesh.client.getDocument({ corpus: 'books', documentId }, await mesh.as())).hasPages;
  expect([await has('a.pdf'), await has('c.md')]).toEqual([true, false]);
});

test('a corpus that is not named, or whose personal data is masked, keeps nothing', async () => {
  for (const corpus of ['other', 'masked']) {
    const before = originals();
    await mesh.ingest({ 'a.pdf': pdf(`Plums of ${corpus}`) }, { corpus });
    expect(originals()).toEqual(before);
    expect(await codeOf(render('a.pdf', {}, testPrincipal(), corpus))).toBe(Code.NotFound);
  }
});

test('a deletion removes the file with the document, and an erasure counts it', async () => {
  await mesh.ingest({ 'd.pdf': pdf('Dates'), 'e.pdf': pdf('Elder') }, { corpus: 'books' });
  const before = originals().length;
  await mesh.client.deleteDocuments({ corpus: 'books', documentIds: ['d.pdf'] }, await mesh.as());
  expect(originals().length).toBe(before - 1);
  const erasure = mesh.mesh.client(DocumentErasureService);
  const erased = await erasure.eraseIndexedDocument({ corpus: 'books', documentId: 'e.pdf' }, await mesh.as());
  expect(erased).toMatchObject({ indexedCount: 1n, originalCount: 1n });
  expect(originals().length).toBe(before - 2);
});

test('a new content of a document keeps the file of its pages if it was made without an upload', async () => {
  await mesh.ingest({ 'f.pdf': pdf('Figs') }, { corpus: 'books' });
  const names = { corpus: 'books', documentId: 'f.pdf' };
  const { chunks } = await mesh.overlays.listChunks(names, await mesh.as());
  const { jobId } = await mesh.overlays.putOverlay(
    {
      target: { ...names, kind: OverlayKind.CHUNK, contentHash: chunks[0]?.textHash ?? '' },
      change: { case: 'text', value: 'Figs and dates' },
    },
    await mesh.as(),
  );
  expect(await mesh.finish(jobId)).toMatchObject({ state: JobState.SUCCEEDED });
  expect((await render('f.pdf')).pageCount).toBe(2);
});

test('pages that are wanted at the same time take turns, and a damaged file is a failure of its own', async () => {
  const before = new Set(originals());
  await mesh.ingest({ 'g.pdf': pdf('Grapes') }, { corpus: 'books' });
  const pages = await Promise.all(Array.from({ length: 6 }, (_, index) => render('g.pdf', { page: 1 + (index % 2) })));
  expect(pages.map(({ pageCount }) => pageCount)).toEqual(Array(6).fill(2));
  const [name = ''] = originals().filter((one) => !before.has(one));
  writeFileSync(join(mesh.mesh.dataDir, 'indexer', 'uploads', name), 'no PDF');
  expect(await codeOf(render('g.pdf'))).toBe(Code.FailedPrecondition);
  expect((await render('a.pdf')).pageCount).toBe(2);
});
