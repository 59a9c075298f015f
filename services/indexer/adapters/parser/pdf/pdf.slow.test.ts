import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type IndexerMesh, startIndexerMesh } from '../../../testing/indexer-mesh.ts';
import { writePdf } from '../../../testing/pdf/pdf-writer.ts';
import { linesAt } from '../../../testing/pdf/read-made-pdf.ts';

const page = (words: string) => ({ texts: linesAt(60, 100, [words]) });

let mesh: IndexerMesh;
beforeAll(async () => {
  mesh = await startIndexerMesh();
});
afterAll(() => mesh[Symbol.asyncDispose]());

test('an uploaded PDF is read in a child process, and its chunks name their pages', async () => {
  const job = await mesh.ingest(
    {
      'manual.pdf': writePdf([page('Orders placed before noon leave the same day.'), page('Returns take ten days.')]),
      'broken.pdf': Buffer.from('%PDF-1.7 and nothing else'),
      'closed.pdf': writePdf([page('Secret words.')], { password: 'tuihuo2026' }),
      'scan.pdf': writePdf([{ images: [[0, 0, 595, 842]] }]),
    },
    { corpus: 'manuals' },
  );
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, progress: { documentCount: 1n, failedCount: 3n } });
  const chunks = mesh.index.live('manuals').get('manual.pdf')?.chunks ?? [];
  expect(chunks.flatMap(({ regions }) => regions.map((region) => region.page))).toEqual([1, 2]);
  expect(chunks[0]?.regions[0]?.left).toBeCloseTo(60, 0);
  expect((await mesh.failures(job.jobId)).map(({ path, reason }) => [path, reason])).toEqual([
    ['broken.pdf', 'DOCUMENT_CORRUPT'],
    ['closed.pdf', 'DOCUMENT_ENCRYPTED'],
    ['scan.pdf', 'DOCUMENT_NEEDS_OCR'],
  ]);
});

test('an encrypted PDF is read with the password of its upload', async () => {
  const content = writePdf([page('Secret words.')], { password: 'tuihuo2026' });
  const job = await mesh.ingest({ 'closed.pdf': { content, password: 'tuihuo2026' } }, { corpus: 'closed' });
  expect(await mesh.failures(job.jobId)).toEqual([]);
  expect(job.progress).toMatchObject({ documentCount: 1n, failedCount: 0n });
});
