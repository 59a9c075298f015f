import { Code } from '@connectrpc/connect';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { outage } from '../testing/index-stand-in.ts';
import { type IndexerMesh, startIndexerMesh, type UploadOptions } from '../testing/indexer-mesh.ts';

// An editor cannot change documents that the editor may not see, and learns nothing about them.

const everyRole = [Role.READER, Role.EDITOR, Role.OPERATOR];
const staff = testPrincipal({ user: 'staff', groups: ['staff'], roles: everyRole });
const editor = testPrincipal({ user: 'editor', groups: [], roles: everyRole });
const nested = testPrincipal({ user: 'nested', groups: ['staff/europe', 'Staff', '*'], roles: everyRole });

const start = async (config: Parameters<typeof startIndexerMesh>[0] = {}): Promise<IndexerMesh> => {
  const mesh = await startIndexerMesh(config);
  onTestFinished(() => mesh.mesh.close());
  return mesh;
};
const secret = { 'secret.md': { content: 'Secret of the staff.', groups: ['staff'] } };
const open = { 'open.md': 'Open to all.' };
const asStaff: UploadOptions = { principal: staff };
const asEditor: UploadOptions = { principal: editor };
const textOf = async (mesh: IndexerMesh, documentId: string, principal = staff) =>
  (await mesh.client.getDocument({ corpus: 'help', documentId }, await mesh.as(principal))).text;
const remove = async (mesh: IndexerMesh, principal: typeof editor, ...documentIds: string[]) =>
  mesh.client.deleteDocuments({ corpus: 'help', documentIds }, await mesh.as(principal));
const refusal = (path: string, id = path, line = 0) => ({
  path,
  line: BigInt(line),
  reason: 'DOCUMENT_PERMISSION',
  message: `"${id}" cannot be written with your groups: use another path or id`,
});

describe('an upload by a caller who may not see a document', () => {
  test.each([editor, nested])('over it is a failure of that file, and the rest is indexed', async (principal) => {
    const mesh = await start();
    await mesh.ingest({ ...secret, ...open }, asStaff);
    const before = mesh.index.live('help').get('secret.md');
    const job = await mesh.ingest({ 'secret.md': 'Hijack.', 'Secret.md': 'Another name.' }, { principal });
    expect(job).toMatchObject({
      state: JobState.SUCCEEDED,
      progress: { documentCount: 1n, changedCount: 1n, unchangedCount: 0n, failedCount: 1n, removedCount: 0n },
    });
    expect(await mesh.failures(job.jobId)).toMatchObject([refusal('secret.md')]);
    expect(mesh.index.live('help').get('secret.md')).toBe(before);
    expect([...mesh.index.live('help').keys()].toSorted()).toEqual(['Secret.md', 'open.md', 'secret.md']);
    expect(await textOf(mesh, 'secret.md')).toBe('Secret of the staff.');
    await expect(textOf(mesh, 'secret.md', principal)).rejects.toMatchObject({ code: Code.NotFound });
  });

  test('of the same content does not reveal by its counts that it is the same', async () => {
    const mesh = await start();
    await mesh.ingest(secret, asStaff);
    for (const files of [secret, { 'secret.md': { content: 'A guess.', groups: ['staff'] } }]) {
      const job = await mesh.ingest(files, asEditor);
      expect(job).toMatchObject({ version: 0n, progress: { unchangedCount: 0n, changedCount: 0n, failedCount: 1n } });
      expect(await mesh.failures(job.jobId)).toMatchObject([refusal('secret.md')]);
    }
  });

  test('by an explicit id in a file of records fails with its line, also if the id has a lone surrogate', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.jsonl': '{"id":"x\ufffd","text":"Secret.","groups":["staff"]}' }, asStaff);
    const lines = ['{"id":"mine","text":"Mine."}', '{"id":"x\\ud83d","text":"Hijack."}'];
    const job = await mesh.ingest({ 'b.jsonl': lines.join('\n') }, asEditor);
    expect(await mesh.failures(job.jobId)).toMatchObject([refusal('b.jsonl', 'x\ufffd', 2)]);
    expect(await textOf(mesh, 'x\ufffd')).toBe('Secret.');
    expect(await textOf(mesh, 'mine')).toBe('Mine.');
  });

  test('removes no hidden document as missing, and does not count it', async () => {
    const mesh = await start();
    await mesh.ingest({ ...secret, ...open }, asStaff);
    const job = await mesh.ingest({ 'z.md': 'Z.' }, { ...asEditor, deleteMissing: true });
    expect(job.progress).toMatchObject({ removedCount: 1n, failedCount: 0n });
    expect([...mesh.index.live('help').keys()].toSorted()).toEqual(['secret.md', 'z.md']);
    expect(await textOf(mesh, 'secret.md')).toBe('Secret of the staff.');
    const everything = await mesh.ingest({ 'z.md': 'Z.' }, { ...asStaff, deleteMissing: true });
    expect(everything.progress?.removedCount).toBe(1n);
  });

  test('of a file keeps hidden rows of that file', async () => {
    const mesh = await start();
    const rows = ['title,text,groups', 'A,Open,', 'B,Secret,staff'];
    await mesh.ingest({ 'faq.csv': rows.join('\n') }, asStaff);
    const ids = [...mesh.index.live('help').keys()];
    expect(ids).toHaveLength(2);
    const job = await mesh.ingest({ 'faq.csv': 'title,text\n' }, asEditor);
    expect(job.progress?.removedCount).toBe(1n);
    expect([...mesh.index.live('help').values()].map(({ access }) => access?.groups)).toEqual([['staff']]);
  });

  test('over one that only an older version holds fails as well', async () => {
    const mesh = await start();
    await mesh.ingest({ ...secret, ...open }, asStaff);
    await mesh.ingest(open, { ...asStaff, deleteMissing: true });
    expect((await mesh.ingest({ 'secret.md': 'Hijack.' }, asEditor)).progress?.failedCount).toBe(1n);
    expect(await remove(mesh, editor, 'secret.md')).toMatchObject({ documentCount: 0n, chunkCount: 0n });
    mesh.index.rollback('help', 1n);
    expect(await textOf(mesh, 'secret.md')).toBe('Secret of the staff.');
  });

  test('keeps its rights in a retry by any user, also if the document was closed meanwhile', async () => {
    const mesh = await start({ config: { maxAttempts: 1 } });
    await mesh.ingest({ 'plan.md': 'Plan.' }, asStaff);
    mesh.index.intercept((rpc) => {
      if (rpc === 'begin') throw outage();
    });
    const failed = await mesh.ingest({ 'plan.md': 'Hijack.' }, asEditor);
    expect(failed.state).toBe(JobState.FAILED);
    mesh.index.intercept(() => {});
    await mesh.ingest({ 'plan.md': { content: 'Closed plan.', groups: ['staff'] } }, asStaff);
    await mesh.client.retryJob({ jobId: failed.jobId }, await mesh.as(staff));
    expect((await mesh.finish(failed.jobId)).progress).toMatchObject({ failedCount: 1n, changedCount: 0n });
    expect(await textOf(mesh, 'plan.md')).toBe('Closed plan.');
  });
});

describe('callers who may see a document', () => {
  test('can change, close, open and remove it', async () => {
    const mesh = await start();
    await mesh.ingest(secret, asStaff);
    expect((await mesh.ingest({ 'secret.md': 'Open now.' }, asStaff)).progress?.failedCount).toBe(0n);
    expect(await textOf(mesh, 'secret.md', editor)).toBe('Open now.');
    expect((await mesh.ingest(secret, asEditor)).progress?.failedCount).toBe(0n);
    await expect(textOf(mesh, 'secret.md', editor)).rejects.toMatchObject({ code: Code.NotFound });
    expect((await remove(mesh, staff, 'secret.md')).documentCount).toBe(1n);
  });

  test('can open or close it after a rollback, even if its text is already live', async () => {
    const mesh = await start();
    await mesh.ingest({ 'secret.md': 'Secret.' }, asStaff);
    await mesh.ingest({ 'secret.md': { content: 'Secret.', groups: ['staff'] } }, asStaff);
    mesh.index.rollback('help', 1n);
    await expect(textOf(mesh, 'secret.md', editor)).rejects.toMatchObject({ code: Code.NotFound });
    const { document } = await mesh.client.getDocument(
      { corpus: 'help', documentId: 'secret.md' },
      await mesh.as(staff),
    );
    expect(document?.access?.groups).toEqual(['staff']);
    const { documents } = await mesh.client.listDocuments({ corpus: 'help' }, await mesh.as(editor));
    expect(documents).toEqual([]);
    expect((await mesh.ingest({ 'secret.md': 'Secret.' }, asStaff)).progress?.changedCount).toBe(1n);
    expect(await textOf(mesh, 'secret.md', editor)).toBe('Secret.');
  });
});

const byEditor = (mesh: IndexerMesh, documentIds: string[]) => remove(mesh, editor, ...documentIds);
/** As the privacy service erases: for an operator, and without groups. */
const byErasure = async (mesh: IndexerMesh, documentIds: string[]) => {
  const erasures = mesh.mesh.client(DocumentErasureService);
  const options = await mesh.mesh.as(testPrincipal({ roles: [Role.OPERATOR, Role.SERVICE, Role.READER] }));
  for (const documentId of documentIds) await erasures.eraseIndexedDocument({ corpus: 'help', documentId }, options);
};

test.each([
  ['a deletion by a caller who may not see a queued document does not keep it out', byEditor, ['open.md', 'secret.md']],
  ['an erasure removes a queued document from its upload, whatever its access list', byErasure, ['open.md']],
])('%s', async (_, act, kept) => {
  const mesh = await start();
  await mesh.ingest(open, asStaff);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  mesh.embedding.before = () => {
    reached.resolve();
    return gate.promise;
  };
  const jobId = await mesh.upload({ ...secret, 'plain.md': 'Plain.' }, asStaff);
  await reached.promise;
  await act(mesh, ['secret.md', 'plain.md']);
  gate.resolve();
  await mesh.finish(jobId);
  expect([...mesh.index.live('help').keys()].toSorted()).toEqual(kept);
});

test('an erasure reaches a document that a deletion by the same operator leaves out', async () => {
  const mesh = await start();
  await mesh.ingest({ ...secret, ...open }, asStaff);
  expect((await remove(mesh, editor, 'secret.md')).documentCount).toBe(0n);
  await byErasure(mesh, ['secret.md']);
  expect([...mesh.index.live('help').keys()]).toEqual(['open.md']);
});

test('another embedding model reaches documents that the operator who asks for it may not see', async () => {
  const mesh = await start();
  await mesh.ingest({ ...secret, ...open }, asStaff);
  const before = mesh.index.live('help').get('secret.md');
  mesh.embedding.model = 'another';
  const { jobId } = await mesh.client.reindexCorpus({ corpus: 'help' }, await mesh.as(editor));
  expect(await mesh.finish(jobId, editor)).toMatchObject({
    state: JobState.SUCCEEDED,
    progress: { changedCount: 2n, failedCount: 0n },
  });
  const after = mesh.index.live('help').get('secret.md');
  expect(after?.contentHash).not.toEqual(before?.contentHash);
  expect(after?.access).toEqual(before?.access);
  await expect(textOf(mesh, 'secret.md', editor)).rejects.toMatchObject({ code: Code.NotFound });
  expect(await textOf(mesh, 'secret.md')).toBe('Secret of the staff.');
});
