import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { JobKind, JobState, NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind, OverlayState } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { errorInfoOf, toRpcError } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, recordsOf, startIndexerMesh } from '../testing/indexer-mesh.ts';

let mesh: IndexerMesh;
let corpus: string;
let corpusCount = 0;
const guide = '# Guide\n\n## Opening\n\nWe open at nine.\n\n## Returns\n\nReturns take ten days.\n';

beforeAll(async () => {
  // Small chunks, so that each section is one.
  mesh = await startIndexerMesh({ config: { chunkTokens: 16, chunkOverlapTokens: 0 } });
});
afterAll(() => mesh.mesh.close());
beforeEach(() => {
  corpus = `corpus-${++corpusCount}`;
});

const ingest = (files: Parameters<IndexerMesh['ingest']>[0], options = {}) =>
  mesh.ingest(files, { corpus, ...options });
const chunksOf = async (documentId: string) => mesh.overlays.listChunks({ corpus, documentId }, await mesh.as());
const indexed = (documentId: string) => mesh.index.live(corpus).get(documentId);
const textsOf = (documentId: string) => indexed(documentId)?.chunks.map(({ text }) => text.trim());
/** The target of the chunk of a document whose text includes `part`. */
const targetOf = async (documentId: string, part: string) => {
  const { chunks } = await chunksOf(documentId);
  const found = chunks.find(({ text }) => text.includes(part));
  if (found === undefined) throw new Error(`no chunk has "${part}"`);
  return { corpus, documentId, kind: OverlayKind.CHUNK, contentHash: found.textHash };
};
const put = async (request: Parameters<IndexerMesh['overlays']['putOverlay']>[0]) => {
  const { overlay, jobId } = await mesh.overlays.putOverlay(request, await mesh.as());
  return { overlay, job: await mesh.finish(jobId) };
};
const statesOf = async (onlyConflicts = false) => {
  const { overlays } = await mesh.overlays.listOverlays({ corpus, onlyConflicts }, await mesh.as());
  return overlays.map(({ state }) => state);
};

test('an edit is published immediately, and survives a document that is read again with the same chunk', async () => {
  await ingest({ 'guide.md': guide, 'other.md': 'Another page.' });
  const target = await targetOf('guide.md', 'ten days');
  const { overlay, job } = await put({ target, change: { case: 'text', value: 'Returns take fourteen days.' } });
  expect(overlay).toMatchObject({ revision: 1n, changedBy: 'ann', original: expect.stringContaining('ten days') });
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, kind: JobKind.EDIT, progress: { indexedCount: 1n } });
  expect(textsOf('guide.md')?.at(-1)).toBe('Returns take fourteen days.');
  const { text } = await mesh.client.getDocument({ corpus, documentId: 'guide.md' }, await mesh.as());
  expect(text).toContain('fourteen days');
  expect(text).toContain('at nine');

  // The same file changes nothing; another section changes, and the edit stays.
  expect(await ingest({ 'guide.md': guide })).toMatchObject({ progress: { unchangedCount: 1n, indexedCount: 0n } });
  await ingest({ 'guide.md': guide.replace('nine', 'eight') });
  expect(textsOf('guide.md')).toEqual([expect.stringContaining('eight'), 'Returns take fourteen days.']);
  expect(await statesOf()).toEqual([OverlayState.APPLIES]);

  // The edited section changes at its source: a conflict, and the source is shown.
  const { jobId } = await ingest({ 'guide.md': guide.replace('ten days', 'twenty days') });
  const { notes } = await mesh.client.listNotes({ jobId }, await mesh.as());
  expect(notes).toMatchObject([{ path: 'guide.md', kind: NoteKind.EDIT_NOT_APPLIED, count: 1n }]);
  expect(textsOf('guide.md')?.at(-1)).toContain('twenty days');
  expect(await statesOf(true)).toEqual([OverlayState.CONFLICT]);
  await ingest({ 'guide.md': guide });
  expect(await statesOf(true)).toEqual([]);
  expect(textsOf('guide.md')?.at(-1)).toBe('Returns take fourteen days.');
});

test('an edit of a text that was rewritten is shown beside the new text, and moved to it', async () => {
  await ingest({ 'guide.md': guide });
  const target = await targetOf('guide.md', 'ten days');
  await put({ target, change: { case: 'text', value: 'Returns take fourteen days.' } });
  await ingest({ 'guide.md': guide.replace('take ten days', 'take about ten working days') });
  const conflicts = async () =>
    (await mesh.overlays.listOverlays({ corpus, onlyConflicts: true }, await mesh.as())).overlays;
  const [conflict] = await conflicts();
  expect(conflict).toMatchObject({
    original: expect.stringContaining('ten days'),
    text: 'Returns take fourteen days.',
    replacement: { text: expect.stringContaining('about ten working days') },
  });
  const toContentHash = conflict?.replacement?.contentHash ?? '';
  const move = async (to: string, of = target) =>
    mesh.overlays.moveOverlay({ target: of, toContentHash: to }, await mesh.as());
  // Not to what the document does not have, nor to what has an edit already.
  expect(await move('0'.repeat(64)).catch(toRpcError)).toMatchObject({ code: Code.FailedPrecondition });
  const opening = await targetOf('guide.md', 'nine');
  await put({ target: opening, change: { case: 'hidden', value: true } });
  expect(await move(opening.contentHash).catch(toRpcError)).toMatchObject({ code: Code.FailedPrecondition });
  expect(await move(toContentHash, opening).catch(toRpcError)).toMatchObject({ code: Code.FailedPrecondition });

  const { overlay, jobId } = await move(toContentHash);
  expect(overlay).toMatchObject({ text: 'Returns take fourteen days.', original: expect.stringContaining('working') });
  await mesh.finish(jobId);
  expect(textsOf('guide.md')).toEqual(['Returns take fourteen days.']);
  expect(await conflicts()).toEqual([]);
  // It is moved once: the old target has no overlay any more, even if its text returns.
  expect(await move(toContentHash).catch(toRpcError)).toMatchObject({ code: Code.NotFound });
  await ingest({ 'guide.md': guide });
  expect(textsOf('guide.md')?.at(-1)).toContain('ten days');
});

test('an edit that is moved in a document that readers see unchanged is no conflict any more', async () => {
  await ingest({ 'a.md': 'Paragraph 1.' });
  const target = await targetOf('a.md', 'Paragraph');
  await put({ target, change: { case: 'text', value: 'As we say it.' } });
  await ingest({ 'a.md': 'Paragraph 1. Rewritten.' });
  const [conflict] = (await mesh.overlays.listOverlays({ corpus, onlyConflicts: true }, await mesh.as())).overlays;
  const toContentHash = conflict?.replacement?.contentHash ?? '';
  const { jobId } = await mesh.overlays.moveOverlay({ target, toContentHash }, await mesh.as());
  await mesh.finish(jobId);
  expect(textsOf('a.md')).toEqual(['As we say it.']);
  expect(await statesOf()).toEqual([OverlayState.APPLIES]);
  expect((await chunksOf('a.md')).chunks.map(({ text }) => text)).toEqual(['Paragraph 1. Rewritten.']);
});

test('a withdrawn edit gives the document as it was read, and every revision stays', async () => {
  await ingest({ 'guide.md': guide });
  const before = indexed('guide.md')?.contentHash;
  const target = await targetOf('guide.md', 'ten days');
  await put({ target, change: { case: 'text', value: 'Returns take fourteen days.' } });
  await put({ target, change: { case: 'text', value: 'Returns take fifteen days.' } });
  const { jobId } = await mesh.overlays.deleteOverlay({ target }, await mesh.as());
  await mesh.finish(jobId);
  expect(indexed('guide.md')?.contentHash).toEqual(before);
  const { revisions } = await mesh.overlays.listOverlayRevisions({ target }, await mesh.as());
  expect(revisions.map(({ revision, text, deleted }) => [Number(revision), text, deleted])).toEqual([
    [3, 'Returns take fifteen days.', true],
    [2, 'Returns take fifteen days.', false],
    [1, 'Returns take fourteen days.', false],
  ]);
  expect(await statesOf()).toEqual([]);
  const again = await mesh.overlays.deleteOverlay({ target }, await mesh.as()).catch((error: unknown) => error);
  expect(errorInfoOf(again)?.reason).toBe('RESOURCE_NOT_FOUND');
});

test('a boost of a chunk and that of its document add up, beside another text, and are withdrawn', async () => {
  await ingest({ 'guide.md': guide });
  const before = indexed('guide.md')?.contentHash;
  const boosts = () => indexed('guide.md')?.chunks.map(({ boost }) => boost);
  const chunk = await targetOf('guide.md', 'ten days');
  const ofChunk = { ...chunk, kind: OverlayKind.CHUNK_BOOST };
  const ofDocument = { ...chunk, kind: OverlayKind.DOCUMENT_BOOST, contentHash: '' };
  await put({ target: chunk, change: { case: 'text', value: 'Returns take fourteen days.' } });
  expect((await put({ target: ofChunk, change: { case: 'boost', value: 0.8 } })).overlay).toMatchObject({
    ...{ boost: 0.8, text: '', hidden: false, original: expect.stringContaining('ten days') },
  });
  expect(boosts()).toEqual([0, 0.8]);
  await put({ target: ofDocument, change: { case: 'boost', value: 0.5 } });
  expect(boosts()).toEqual([0.5, 1]);
  expect(textsOf('guide.md')?.at(-1)).toBe('Returns take fourteen days.');
  const shown = await chunksOf('guide.md');
  expect(shown.documentBoostOverlay?.boost).toBe(0.5);
  expect(shown.chunks.at(-1)).toMatchObject({ boostOverlay: { boost: 0.8 }, overlay: { text: expect.any(String) } });
  await put({ target: ofDocument, change: { case: 'boost', value: -1 } });
  expect(boosts()).toEqual([-1, expect.closeTo(-0.2)]);
  for (const target of [chunk, ofChunk, ofDocument])
    await mesh.finish((await mesh.overlays.deleteOverlay({ target }, await mesh.as())).jobId);
  expect(indexed('guide.md')?.contentHash).toEqual(before);
  for (const value of [1.01, Number.NaN, -2]) {
    const failed = await put({ target: ofChunk, change: { case: 'boost', value } }).catch(toRpcError);
    expect(failed).toMatchObject({ code: Code.InvalidArgument });
  }
  const text = await put({ target: ofChunk, change: { case: 'text', value: 'x' } }).catch(toRpcError);
  expect(text).toMatchObject({ code: Code.InvalidArgument });
});

test('titles are changed, chunks and documents hidden, and shown again', async () => {
  await ingest({ 'guide.md': guide });
  const { title, titleHash } = await chunksOf('guide.md');
  expect(title).toBe('Guide');
  const of = (kind: OverlayKind, contentHash: string) => ({ corpus, documentId: 'guide.md', kind, contentHash });
  await put({ target: of(OverlayKind.TITLE, titleHash), change: { case: 'text', value: 'Shop guide' } });
  await put({ target: await targetOf('guide.md', 'nine'), change: { case: 'hidden', value: true } });
  expect(indexed('guide.md')?.title).toBe('Shop guide');
  expect(textsOf('guide.md')).toEqual([expect.stringContaining('ten days')]);
  const whole = of(OverlayKind.DOCUMENT, '');
  expect((await put({ target: whole, change: { case: 'hidden', value: true } })).job.state).toBe(JobState.SUCCEEDED);
  expect(textsOf('guide.md')).toEqual([]);
  const shown = await chunksOf('guide.md');
  expect(shown.chunks.map(({ overlay }) => overlay?.hidden)).toContain(true);
  expect(shown).toMatchObject({ titleOverlay: { text: 'Shop guide' }, documentOverlay: { hidden: true } });
  const { jobId } = await mesh.overlays.deleteOverlay({ target: whole }, await mesh.as());
  await mesh.finish(jobId);
  expect(textsOf('guide.md')).toEqual([expect.stringContaining('ten days')]);
});

test('an overlay needs a document that the caller may see, what it changes, and a change that its kind has', async () => {
  await ingest({ 'a.md': { content: 'closed text', groups: ['staff'] } });
  const staff = await mesh.as(testPrincipal({ groups: ['staff'] }));
  const { chunks } = await mesh.overlays.listChunks({ corpus, documentId: 'a.md' }, staff);
  const target = { corpus, documentId: 'a.md', kind: OverlayKind.CHUNK, contentHash: chunks[0]?.textHash ?? '' };
  const text = { case: 'text', value: 'x' } as const;
  const failure = async (request: Parameters<IndexerMesh['overlays']['putOverlay']>[0], as = staff) => {
    const error = await mesh.overlays.putOverlay(request, as).catch((thrown: unknown) => thrown);
    return toRpcError(error).code;
  };
  expect(await failure({ target, change: text }, await mesh.as())).toBe(Code.NotFound);
  expect(await failure({ target: { ...target, contentHash: '0'.repeat(64) }, change: text })).toBe(
    Code.FailedPrecondition,
  );
  expect(await failure({ target: { ...target, kind: OverlayKind.DOCUMENT, contentHash: '' }, change: text })).toBe(
    Code.InvalidArgument,
  );
  const reader = await mesh.as(testPrincipal({ roles: [Role.READER], groups: ['staff'] }));
  expect(await failure({ target, change: text }, reader)).toBe(Code.PermissionDenied);

  const { jobId } = await mesh.overlays.putOverlay({ target, change: text }, staff);
  await mesh.finish(jobId);
  // Who may not see the document sees none of its overlays, also when it is gone.
  expect((await mesh.overlays.listOverlays({ corpus }, staff)).overlays).toHaveLength(1);
  expect(await statesOf()).toEqual([]);
  await ingest({ 'b.md': 'x' }, { deleteMissing: true, principal: testPrincipal({ groups: ['staff'] }) });
  const { overlays } = await mesh.overlays.listOverlays({ corpus }, staff);
  expect(overlays.map(({ state }) => state)).toEqual([OverlayState.ABSENT]);
  expect(await statesOf()).toEqual([]);
});

test('a deletion removes what people have written about the document', async () => {
  await ingest({ 'guide.md': guide });
  await put({ target: await targetOf('guide.md', 'nine'), change: { case: 'text', value: 'a private remark' } });
  await mesh.client.deleteDocuments({ corpus, documentIds: ['guide.md'] }, await mesh.as());
  const rows = await recordsOf(mesh.mesh.dataDir, `SELECT text FROM overlays WHERE corpus = '${corpus}'`);
  expect(rows).toEqual([]);
});

test('a corpus is indexed again with its overlays, for another embedding model', async () => {
  await ingest({ 'guide.md': guide, 'b.md': 'Another page.' });
  await put({ target: await targetOf('guide.md', 'ten days'), change: { case: 'text', value: 'Fourteen days.' } });
  const { jobId } = await mesh.client.reindexCorpus({ corpus }, await mesh.as());
  // The model is the same, so nothing changes.
  expect(await mesh.finish(jobId)).toMatchObject({
    state: JobState.SUCCEEDED,
    kind: JobKind.REINDEX,
    progress: { unchangedCount: 2n },
  });
  const before = mesh.embedding.model;
  mesh.embedding.model = 'another';
  try {
    const again = await mesh.client.reindexCorpus({ corpus }, await mesh.as());
    expect(await mesh.finish(again.jobId)).toMatchObject({ state: JobState.SUCCEEDED, progress: { indexedCount: 2n } });
    expect(textsOf('guide.md')?.at(-1)).toBe('Fourteen days.');
  } finally {
    mesh.embedding.model = before;
  }
  const absent = await mesh.client
    .reindexCorpus({ corpus: 'nothing' }, await mesh.as())
    .catch((error: unknown) => error);
  expect(errorInfoOf(absent)?.reason).toBe('CORPUS_NOT_FOUND');
});
