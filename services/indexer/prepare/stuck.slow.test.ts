import { expect, onTestFinished, test, vi } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { hostileFolder, usualLimits } from '../testing/hostile.ts';
import { startIndexerMesh } from '../testing/indexer-mesh.ts';
import { createPrepareThreads } from './prepare-threads.ts';
import type { PreparedBatch } from './prepared.ts';

vi.mock(import('./parsers.ts'), async (load) => ({
  ...(await load()),
  parserFolder: new URL('../testing/parsers/', import.meta.url),
}));

const options = { targetTokens: 320, overlapTokens: 40, embeddingModel: 'none', dimensions: 4 };

/** Reads files of the parser that has no process of its own, and returns the batches. */
async function readAll(orders: readonly string[], isCareful: boolean, marginMs: number): Promise<PreparedBatch[]> {
  const threads = createPrepareThreads({ ...usualLimits, stallMs: 1 }, { folder: hostileFolder, marginMs });
  onTestFinished(() => threads.close());
  const contents = orders.map((order) => Buffer.from(order));
  const all = Buffer.concat(contents);
  let offset = 0;
  const files = contents.map(({ byteLength: sizeBytes }, index) => {
    const file = { path: `${index}.thread`, mediaType: '', offset, sizeBytes, groups: [], attributes: {} };
    offset += sizeBytes;
    return file;
  });
  const read = async (from: number, sizeBytes: number) => new Uint8Array(all.subarray(from, from + sizeBytes));
  const batches: PreparedBatch[] = [];
  const task = { upload: { files, read }, options, isCareful };
  for await (const batch of threads.prepare(task, AbortSignal.timeout(120_000))) batches.push(batch);
  return batches;
}

test('a file that gets its thread stuck is lost alone, with others before, between and after it', async () => {
  const orders = ['read\none', 'spin\ntwo', 'read\nthree', 'spin', 'read\nfive'];
  const batches = await readAll(orders, true, 15_000);
  const documents = batches.flatMap((batch) => batch.documents.map(({ documentId }) => documentId));
  expect(documents).toEqual(['0.thread#0', '2.thread#0', '4.thread#0']);
  const failures = batches.flatMap((batch) => batch.failures);
  expect(failures).toMatchObject([
    {
      fileIndex: 1,
      path: '1.thread',
      reason: ErrorReason.TOO_LARGE,
      message: expect.stringContaining('split the file'),
    },
    { fileIndex: 3, path: '3.thread', reason: ErrorReason.TOO_LARGE },
  ]);
  const sizes = batches.map(({ readBytes }) => readBytes);
  expect(sizes).toEqual(sizes.toSorted((one, other) => one - other));
  expect(sizes.at(-1)).toBe(orders.join('').length);
}, 120_000);

test('too many of them fail the upload', async () => {
  const orders = Array.from({ length: 25 }, () => 'exit');
  await expect(readAll(orders, true, 60_000)).rejects.toThrow('ends the thread');
}, 120_000);

test('a job fails once with its thread; then what it can read is searchable, and the file is a failure', async () => {
  const mesh = await startIndexerMesh();
  onTestFinished(() => mesh.mesh.close());
  const job = await mesh.ingest({ 'a.thread': 'read\none', 'b.thread': 'exit\ntwo', 'c.thread': 'read\nthree' });
  expect(job).toMatchObject({
    state: JobState.SUCCEEDED,
    progress: { indexedCount: 2n, failedCount: 1n },
  });
  expect(job.attemptCount).toBe(2);
  expect([...mesh.index.live('help').keys()].sort()).toEqual(['a.thread#0', 'c.thread#0']);
  expect(await mesh.failures(job.jobId)).toMatchObject([{ path: 'b.thread', reason: 'TOO_LARGE' }]);
}, 120_000);
