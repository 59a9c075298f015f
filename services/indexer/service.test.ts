import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState, NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, jsonl, type Part, partsOf, startIndexerMesh, testStorage } from './testing/indexer-mesh.ts';
import { docxOf, paragraphOf } from './testing/office-files.ts';
import { zipOf } from './testing/zip-of.ts';

let mesh: IndexerMesh;
beforeAll(async () => {
  mesh = await startIndexerMesh({ config: { maxFileBytes: 1n << 20n, maxUploadBytes: 3n << 20n } });
});
afterAll(() => mesh.mesh.close());

/** For what happens soon, on a busy machine as well. */
const patient = { timeout: 20_000, interval: 10 };

const failure = async (work: Promise<unknown>): Promise<ConnectError> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error('it did not fail');
};
const staged = () => readdirSync(join(mesh.mesh.dataDir, 'indexer', 'uploads'));
async function* parts(...values: Part['part'][]): AsyncIterable<Part> {
  for (const part of values) yield { part } as Part;
}
const start = { case: 'start' as const, value: { corpus: 'bad' } };
const file = (path: string, sizeBytes = 0n) => ({ case: 'file' as const, value: { path, sizeBytes } });
const data = (text: string) => ({ case: 'data' as const, value: Buffer.from(text) });

describe('an upload', () => {
  test('becomes documents of a published version, with chunks that point into their text', async () => {
    const job = await mesh.ingest(
      {
        'en/returns.md': '---\ntitle: Returns\nurl: https://x/r\nupdated: 2026-01-02\n---\n## Window\n\n15 days.\n',
        'zh/faq.csv': '问题,答案\n几点开门？,八点。\n',
      },
      { corpus: 'first' },
    );
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, version: 1n, revision: '1', attemptCount: 1, error: '' });
    expect(job.progress).toMatchObject({
      documentCount: 2n,
      changedCount: 2n,
      indexedCount: 2n,
      chunkCount: 2n,
      failedCount: 0n,
    });
    expect(job.progress?.readBytes).toBe(job.progress?.totalBytes);
    const live = mesh.index.live('first');
    expect([...live.keys()].sort()).toEqual(['en/returns.md', 'zh/faq.csv#1']);
    const { document, text } = await mesh.client.getDocument(
      { corpus: 'first', documentId: 'en/returns.md' },
      await mesh.as(),
    );
    expect(document).toMatchObject({
      title: 'Returns',
      url: 'https://x/r',
      corpus: 'first',
      chunkCount: 1,
      length: text.length,
    });
    for (const chunk of live.get('en/returns.md')?.chunks ?? []) {
      expect(text.slice(chunk.startOffset, chunk.endOffset)).toBe(chunk.text);
      expect(chunk.headingPath).toEqual(['Window']);
    }
    expect(mesh.embedding.inputs).toContain('Returns\nWindow\n## Window\n\n15 days.');
    await expect.poll(staged, patient).toEqual([]);
  });

  test('of an archive becomes the documents of its files, with notes, and what it no longer holds is removed', async () => {
    const page = (text: string) => docxOf(paragraphOf(text));
    const first = zipOf({ 'guide/a.docx': page('Alpha'), 'b.txt': 'Beta', 'c.exe': 'MZ' });
    const job = await mesh.ingest({ 'kb.zip': first }, { corpus: 'archive' });
    expect(job.progress).toMatchObject({ documentCount: 2n, failedCount: 0n, noteCount: 1n });
    expect([...mesh.index.live('archive').keys()].sort()).toEqual(['kb.zip/b.txt', 'kb.zip/guide/a.docx']);
    const { notes, totals } = await mesh.client.listNotes({ jobId: job.jobId }, await mesh.as());
    expect(notes).toMatchObject([{ path: 'kb.zip/c.exe', kind: NoteKind.FILE_SKIPPED, count: 1n }]);
    expect(totals).toMatchObject([{ kind: NoteKind.FILE_SKIPPED, count: 1n, fileCount: 1n }]);
    await mesh.ingest({ 'kb.zip': zipOf({ 'b.txt': 'Beta' }) }, { corpus: 'archive' });
    expect([...mesh.index.live('archive').keys()]).toEqual(['kb.zip/b.txt']);
  });

  test('that breaks the order of its parts is refused, and leaves nothing', async () => {
    const cases = [
      parts(),
      parts(start),
      parts(file('a.md')),
      parts(start, data('x')),
      parts(start, start),
      parts(start, file('a.md'), data('x'), file('a.md')),
      parts(start, file('a.md', 10n), data('short')),
      parts(start, file('a.md', 1n), data('x'), file('b.md', 3n), data('xx')),
    ];
    for (const requests of cases) {
      const error = await failure(mesh.client.ingestDocuments(requests, await mesh.as()));
      expect(error.code).toBe(Code.InvalidArgument);
    }
    expect(staged()).toEqual([]);
    expect((await mesh.client.listJobs({ corpus: 'bad' }, await mesh.as())).jobs).toEqual([]);
  });

  test.each(['grpc', 'local'])(
    'that is too large is refused over %s, as a file or as a whole, and leaves nothing',
    async (face) => {
      const client = face === 'grpc' ? mesh.mesh.grpcClient(IndexerService) : mesh.client;
      const options = await mesh.as();
      const large = await failure(
        client.ingestDocuments(partsOf({ 'a.txt': 'x'.repeat((1 << 20) + 1) }, { corpus: 'bad' }), options),
      );
      expect(large.code).toBe(Code.ResourceExhausted);
      expect(errorInfoOf(large)).toMatchObject({ reason: 'TOO_LARGE', metadata: { limit_bytes: String(1 << 20) } });
      const unsaid = parts(start, file('a.txt'), ...Array.from({ length: 9 }, () => data('x'.repeat(1 << 17))));
      expect(errorInfoOf(await failure(client.ingestDocuments(unsaid, options)))?.reason).toBe('TOO_LARGE');
      const many = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`${name}.txt`, 'x'.repeat(900_000)]));
      const whole = await failure(client.ingestDocuments(partsOf(many, { corpus: 'bad' }), options));
      expect(errorInfoOf(whole)?.metadata).toEqual({ limit_bytes: String(3 << 20) });
      expect(staged()).toEqual([]);
    },
  );

  test.each(['grpc', 'local'])('whose caller disconnects half-way over %s leaves nothing', async (face) => {
    const client = face === 'grpc' ? mesh.mesh.grpcClient(IndexerService) : mesh.client;
    const abort = new AbortController();
    const sent = Promise.withResolvers<void>();
    async function* endless(): AsyncIterable<Part> {
      yield { part: start };
      yield { part: file('a.txt') };
      yield { part: data('some bytes') };
      sent.resolve();
      await new Promise(() => {});
    }
    const call = failure(
      client.ingestDocuments(endless(), await mesh.mesh.as(testPrincipal(), { signal: abort.signal })),
    );
    await sent.promise;
    await expect.poll(() => staged().length, patient).toBeGreaterThan(0);
    abort.abort();
    expect((await call).code).toBe(Code.Canceled);
    await expect.poll(staged, patient).toEqual([]);
  });

  test('needs the role of an editor', async () => {
    const reader = testPrincipal({ roles: [Role.READER] });
    expect((await failure(mesh.upload({ 'a.md': 'x' }, { principal: reader }))).code).toBe(Code.PermissionDenied);
  });
});

describe('what cannot be read', () => {
  test('is listed with its line and reason, and the rest is indexed', async () => {
    const job = await mesh.ingest(
      {
        'a.jsonl': '{"id":"ok","text":"fine"}\n{"text":\n{"id":"ok","text":"again"}\n',
        'b.bin': Buffer.from([1, 2, 3]),
        'c.md': '---\ngroups: {a: b}\n---\nsecret',
        'd.txt': Buffer.from([0xff, 0xff]),
        'e.txt': '   \n',
        'f.txt': 'good',
      },
      { corpus: 'mixed' },
    );
    expect(job).toMatchObject({
      state: JobState.SUCCEEDED,
      progress: { documentCount: 2n, indexedCount: 2n, failedCount: 6n },
    });
    expect([...mesh.index.live('mixed').keys()].sort()).toEqual(['f.txt', 'ok']);
    const failures = await mesh.failures(job.jobId);
    expect(failures.map(({ path, line, reason }) => [path, Number(line), reason])).toEqual([
      ['a.jsonl', 2, 'DOCUMENT_CORRUPT'],
      ['a.jsonl', 3, 'DOCUMENT_CORRUPT'],
      ['b.bin', 0, 'MEDIA_TYPE_UNSUPPORTED'],
      ['c.md', 0, 'DOCUMENT_CORRUPT'],
      ['d.txt', 0, 'DOCUMENT_CORRUPT'],
      ['e.txt', 0, 'DOCUMENT_CORRUPT'],
    ]);
    for (const { message } of failures) expect(message.length).toBeGreaterThan(10);
  });
});

describe('a second upload of the same files', () => {
  const files = { 'a.jsonl': jsonl(40), 'b.md': '# B\n\nText.' };

  test('changes nothing, and begins no version', async () => {
    await mesh.ingest(files, { corpus: 'same' });
    const before = mesh.embedding.inputs.length;
    mesh.index.calls.length = 0;
    const job = await mesh.ingest(files, { corpus: 'same' });
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, version: 0n, revision: '1' });
    expect(job.progress).toMatchObject({ documentCount: 41n, changedCount: 0n, indexedCount: 0n, unchangedCount: 41n });
    expect(mesh.index.calls).not.toContain('begin');
    expect(mesh.embedding.inputs.length).toBe(before);
  });

  test('writes only documents that differ: text, title, access, attributes', async () => {
    const job = await mesh.ingest(
      {
        'a.jsonl': jsonl(40, (index) => (index === 7 ? 'Other.' : `Text of ${index}.`)),
        'b.md': { content: '# B\n\nText.', groups: ['staff'] },
      },
      { corpus: 'same' },
    );
    expect(job.progress).toMatchObject({ changedCount: 2n, indexedCount: 2n, unchangedCount: 39n });
    expect(mesh.index.live('same').get('b.md')?.access?.groups).toEqual(['staff']);
    expect(mesh.index.live('same').size).toBe(41);
  });

  test('re-indexes every document with another embedding model', async () => {
    mesh.embedding.model = 'other';
    // One of the documents is closed by now.
    const principal = testPrincipal({ groups: ['staff'] });
    const job = await mesh.ingest(files, { corpus: 'same', principal });
    expect(job.progress).toMatchObject({ changedCount: 41n });
    mesh.embedding.model = 'stand-in';
  });
});

describe('documents that are no longer there', () => {
  test('stay without delete_missing, and are removed with it', async () => {
    await mesh.ingest({ 'a.md': 'A', 'b.md': 'B', 'c.jsonl': jsonl(3) }, { corpus: 'gone' });
    await mesh.ingest({ 'a.md': 'A' }, { corpus: 'gone' });
    expect(mesh.index.live('gone').size).toBe(5);
    const job = await mesh.ingest({ 'a.md': 'A', 'c.jsonl': jsonl(1) }, { corpus: 'gone', deleteMissing: true });
    expect(job.progress).toMatchObject({ removedCount: 3n, unchangedCount: 2n });
    expect([...mesh.index.live('gone').keys()].sort()).toEqual(['a.md', 'd0']);
  });

  test('are removed if their row left the file, also without delete_missing', async () => {
    await mesh.ingest({ 'faq.csv': 'title,text\na,1\nb,2\nc,3\n', 'x.csv': 'title,text\nx,1\n' }, { corpus: 'rows' });
    const job = await mesh.ingest({ 'faq.csv': 'title,text\na,1\nb,2\n' }, { corpus: 'rows' });
    expect(job.progress).toMatchObject({ removedCount: 1n, unchangedCount: 2n });
    expect([...mesh.index.live('rows').keys()].sort()).toEqual(['faq.csv#1', 'faq.csv#2', 'x.csv#1']);
  });

  test('are kept if an unreadable part may have held them', async () => {
    await mesh.ingest({ 'a.jsonl': jsonl(3), 'b.md': 'B' }, { corpus: 'doubt' });
    const job = await mesh.ingest({ 'a.jsonl': '{"id":"d0"' }, { corpus: 'doubt', deleteMissing: true });
    expect(job.progress).toMatchObject({ removedCount: 0n, failedCount: 1n });
    expect(mesh.index.live('doubt').size).toBe(4);
    expect((await mesh.failures(job.jobId)).at(-1)?.message).toContain('no missing document was removed');
    const known = await mesh.ingest(
      { 'a.jsonl': jsonl(3), 'b.md': Buffer.from([0xff]) },
      { corpus: 'doubt', deleteMissing: true },
    );
    expect(known.progress).toMatchObject({ removedCount: 0n, failedCount: 1n });
    expect(mesh.index.live('doubt').has('b.md')).toBe(true);
  });
});

describe('access', () => {
  const staff = testPrincipal({ user: 'sam', groups: ['staff'] });
  const stranger = testPrincipal({ tenant: 'other' });

  beforeAll(async () => {
    await mesh.ingest(
      {
        'own.md': '---\ngroups: [staff]\n---\nown',
        'header.md': { content: 'header', groups: ['staff'] },
        'open.md': { content: 'open', groups: [] },
        'default.md': 'default',
        'row.jsonl': '{"id":"r1","text":"r","groups":["lead"]}\n{"id":"r2","text":"r"}',
      },
      { corpus: 'acl', groups: ['everybody-here'] },
    );
  });

  test('is that of the document, else of its file, else of the upload', () => {
    const live = mesh.index.live('acl');
    const groups = (id: string) => live.get(id)?.access?.groups;
    expect(['own.md', 'header.md', 'open.md', 'default.md', 'r1', 'r2'].map(groups)).toEqual([
      ['staff'],
      ['staff'],
      [],
      ['everybody-here'],
      ['lead'],
      ['everybody-here'],
    ]);
  });

  test('holds for lists, pages and documents, whatever other roles the caller has', async () => {
    const list = async (principal = testPrincipal(), pageSize = 1) => {
      const ids: string[] = [];
      for (let pageToken = ''; ; ) {
        const page = await mesh.client.listDocuments({ corpus: 'acl', pageSize, pageToken }, await mesh.as(principal));
        expect(page.documents.length).toBeLessThanOrEqual(pageSize);
        ids.push(...page.documents.map(({ documentId }) => documentId));
        if (page.nextPageToken === '') return ids;
        pageToken = page.nextPageToken;
      }
    };
    expect(await list()).toEqual(['open.md']);
    expect(await list(staff)).toEqual(['header.md', 'open.md', 'own.md']);
    expect(await list(staff, 2)).toEqual(['header.md', 'open.md', 'own.md']);
    expect(await list(stranger)).toEqual([]);
    const own = { corpus: 'acl', documentId: 'own.md' };
    expect((await mesh.client.getDocument(own, await mesh.as(staff))).text).toBe('own');
    for (const principal of [testPrincipal(), stranger]) {
      const error = await failure(mesh.client.getDocument(own, await mesh.as(principal)));
      expect(error.code).toBe(Code.NotFound);
      expect(errorInfoOf(error)?.reason).toBe('DOCUMENT_NOT_FOUND');
    }
  });

  test('holds for deletions: what the caller may not see is neither deleted nor counted', async () => {
    const request = { corpus: 'acl', documentIds: ['own.md', 'nothing'] };
    expect((await mesh.client.deleteDocuments(request, await mesh.as())).documentCount).toBe(0n);
    expect(mesh.index.live('acl').has('own.md')).toBe(true);
    expect((await mesh.client.deleteDocuments(request, await mesh.as(staff))).documentCount).toBe(1n);
    expect(mesh.index.live('acl').has('own.md')).toBe(false);
  });

  test('no tenant sees, cancels or lists jobs and failures of another', async () => {
    const { jobs } = await mesh.client.listJobs({ corpus: 'acl' }, await mesh.as());
    const jobId = jobs[0]?.jobId ?? '';
    const options = await mesh.as(stranger);
    expect((await mesh.client.listJobs({}, options)).jobs).toEqual([]);
    const calls = [
      mesh.client.getJob({ jobId }, options),
      mesh.client.cancelJob({ jobId }, options),
      mesh.client.retryJob({ jobId }, options),
      mesh.client.listFailures({ jobId }, options),
      (async () => {
        for await (const _ of mesh.client.watchJob({ jobId }, options));
      })(),
    ];
    for (const error of await Promise.all(calls.map(failure))) expect(error.code).toBe(Code.NotFound);
  });
});

describe('lists', () => {
  test('of documents go in order of id, by prefix and page', async () => {
    await mesh.ingest({ 'a.jsonl': jsonl(25), 'b.jsonl': jsonl(5, undefined, 'x') }, { corpus: 'list' });
    const options = await mesh.as();
    const first = await mesh.client.listDocuments({ corpus: 'list', pageSize: 20, idPrefix: 'd' }, options);
    expect(first.documents).toHaveLength(20);
    const rest = await mesh.client.listDocuments(
      { corpus: 'list', pageSize: 20, idPrefix: 'd', pageToken: first.nextPageToken },
      options,
    );
    const ids = [...first.documents, ...rest.documents].map(({ documentId }) => documentId);
    expect(ids).toEqual(Array.from({ length: 25 }, (_, index) => `d${index}`).sort());
    expect(rest.nextPageToken).toBe('');
    expect((await failure(mesh.client.listDocuments({ corpus: 'list', pageToken: 'x' }, options))).code).toBe(
      Code.InvalidArgument,
    );
  });

  test('of jobs go from the latest, by corpus and page', async () => {
    const options = await mesh.as();
    const jobIds = [];
    for (const name of ['1', '2', '3']) jobIds.unshift((await mesh.ingest({ 'a.md': name }, { corpus: 'jobs' })).jobId);
    const first = await mesh.client.listJobs({ corpus: 'jobs', pageSize: 2 }, options);
    const rest = await mesh.client.listJobs({ corpus: 'jobs', pageSize: 2, pageToken: first.nextPageToken }, options);
    expect([...first.jobs, ...rest.jobs].map(({ jobId }) => jobId)).toEqual(jobIds);
    expect(rest.nextPageToken).toBe('');
  });
});

describe('a document too large for one message', () => {
  test('is stored in parts, and parts that are no longer needed are removed', async () => {
    const words = 'some words that fill a section '.repeat(12);
    const long = (count: number) => Array.from({ length: count }, (_, index) => `## ${index}\n\n${words}`).join('\n\n');
    const job = await mesh.ingest({ 'book.md': long(2000) }, { corpus: 'book' });
    expect(job.progress?.failedCount).toBe(0n);
    const ids = [...mesh.index.live('book').keys()].sort();
    expect(ids.slice(0, 2)).toEqual(['book.md', 'book.md#part-2']);
    const { text, document } = await mesh.client.getDocument(
      { corpus: 'book', documentId: 'book.md#part-2' },
      await mesh.as(),
    );
    expect(document?.title).toMatch(/\(2\)$/);
    for (const chunk of mesh.index.live('book').get('book.md#part-2')?.chunks ?? []) {
      expect(text.slice(chunk.startOffset, chunk.endOffset)).toBe(chunk.text);
    }
    await mesh.ingest({ 'book.md': long(3) }, { corpus: 'book' });
    expect([...mesh.index.live('book').keys()]).toEqual(['book.md']);
  });
});

test('the backlog is on the metrics page', async () => {
  const page = () => mesh.mesh.host.metrics.registry.metrics();
  await expect.poll(page, patient).toContain('ai_index_job_backlog{topic="ingest"} 0');
  expect(existsSync(join(mesh.mesh.dataDir, 'indexer', 'jobs.db'))).toBe(testStorage.createDatabase === undefined);
});
