import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Code } from '@connectrpc/connect';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { deadlineExceeded, failedPrecondition, invalidArgument } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { stretched } from '#kit/testing/time.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { outage } from '../testing/index-stand-in.ts';
import { type IndexerMesh, jsonl, recordsOf, startIndexerMesh } from '../testing/indexer-mesh.ts';

/** Time limit of a poll, long enough for a busy machine. */
const patient = { timeout: 20_000, interval: 10 };

const start = async (...args: Parameters<typeof startIndexerMesh>): Promise<IndexerMesh> => {
  const mesh = await startIndexerMesh(...args);
  onTestFinished(() => mesh.mesh.close());
  return mesh;
};
const staged = (mesh: IndexerMesh) => readdirSync(join(mesh.mesh.dataDir, 'indexer', 'uploads'));
const files = { 'a.jsonl': jsonl(900) };

/** Blocks the embedding: `reached` resolves when a job calls it, `open` unblocks it. */
function holdEmbedding(mesh: IndexerMesh, afterCalls = 0) {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  mesh.embedding.before = () => {
    if (calls++ < afterCalls) return;
    reached.resolve();
    return gate.promise;
  };
  onTestFinished(() => gate.resolve());
  return { reached: reached.promise, open: gate.resolve };
}

describe('an outage', () => {
  test('of the index or the embedding is retried, and the job says what it waits for', async () => {
    const mesh = await start();
    let outages = 1;
    mesh.index.intercept((rpc) => {
      if (rpc === 'write' && outages-- > 0) throw outage();
    });
    const jobId = await mesh.upload(files);
    const seen: Job[] = [];
    for await (const { job } of mesh.client.watchJob({ jobId }, await mesh.as())) if (job) seen.push(job);
    expect(seen.some(({ state, error }) => state === JobState.QUEUED && error.includes('the index is away'))).toBe(
      true,
    );
    expect(seen.at(-1)).toMatchObject({ state: JobState.SUCCEEDED, error: '', progress: { indexedCount: 900n } });
    expect(seen.at(-1)?.attemptCount).toBeGreaterThan(1);
    expect(mesh.index.live('help').size).toBe(900);
  });

  test('that lasts fails the job, which can be retried', async () => {
    const mesh = await start({ config: { maxAttempts: 1 } });
    mesh.index.intercept((rpc) => {
      if (rpc === 'write') throw outage();
    });
    const job = await mesh.ingest(files);
    expect(job).toMatchObject({ state: JobState.FAILED, attemptCount: 1 });
    expect(job.error).toContain('the index is away');
    expect(mesh.index.building()).toEqual([]);
    expect(staged(mesh)).toHaveLength(2);
    mesh.index.intercept(() => {});
    await mesh.client.retryJob({ jobId: job.jobId }, await mesh.as());
    expect(await mesh.finish(job.jobId)).toMatchObject({ state: JobState.SUCCEEDED, progress: { indexedCount: 900n } });
    await expect.poll(() => staged(mesh), patient).toEqual([]);
  });

  test('that a retry cannot fix fails the job immediately', async () => {
    const mesh = await start();
    mesh.embedding.before = () => {
      throw invalidArgument('a text is too long for the model');
    };
    const job = await mesh.ingest(files);
    expect(job).toMatchObject({ state: JobState.FAILED, attemptCount: 1 });
    expect(job.error).toContain('too long for the model');
    expect(mesh.index.building()).toEqual([]);
  });
});

describe('jobs of one corpus', () => {
  test('run one after another, while a job of another corpus runs concurrently', async () => {
    const mesh = await start({ config: { maxRunningJobs: 2 } });
    const held = holdEmbedding(mesh);
    const first = await mesh.upload({ 'a.md': 'one' });
    const second = await mesh.upload({ 'a.md': 'two' });
    await held.reached;
    expect((await mesh.client.getJob({ jobId: second }, await mesh.as())).job?.state).toBe(JobState.QUEUED);
    mesh.embedding.before = () => {};
    expect(await mesh.ingest({ 'a.md': 'x' }, { corpus: 'shop' })).toMatchObject({ state: JobState.SUCCEEDED });
    expect((await mesh.client.getJob({ jobId: first }, await mesh.as())).job?.state).toBe(JobState.RUNNING);
    held.open();
    await mesh.finish(first);
    expect(await mesh.finish(second)).toMatchObject({ state: JobState.SUCCEEDED, version: 2n });
    expect(mesh.index.live('help').get('a.md')?.chunks[0]?.text).toBe('two');
  });

  test('an unfinished version of an unknown job does not block them', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.md': 'one' });
    mesh.index.beginForeign('help', 'lost-build');
    expect(await mesh.ingest({ 'a.md': 'two' })).toMatchObject({ state: JobState.SUCCEEDED });
    expect(mesh.index.building()).toEqual([]);
  });
});

describe('a cancel', () => {
  test('stops a running job: its version is dropped, the live one stays, its bytes are removed', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.jsonl': jsonl(3) });
    const held = holdEmbedding(mesh, 1);
    const jobId = await mesh.upload({ 'a.jsonl': jsonl(900, (index) => `New ${index}`) });
    await held.reached;
    const { job } = await mesh.client.cancelJob({ jobId }, await mesh.as());
    expect(job?.state).toBe(JobState.CANCELLED);
    expect(mesh.index.building()).toEqual([]);
    expect(mesh.index.live('help').size).toBe(3);
    await expect.poll(() => staged(mesh), patient).toEqual([]);
    const { text } = await mesh.client.getDocument({ corpus: 'help', documentId: 'd0' }, await mesh.as());
    expect(text).toBe('Text of 0.');
    expect((await mesh.client.cancelJob({ jobId }, await mesh.as())).job?.state).toBe(JobState.CANCELLED);
    mesh.embedding.before = () => {};
    expect(await mesh.ingest({ 'b.md': 'B' })).toMatchObject({ state: JobState.SUCCEEDED, version: 3n });
  });

  test('of a waiting job removes its bytes immediately', async () => {
    const mesh = await start();
    const held = holdEmbedding(mesh);
    const first = await mesh.upload({ 'a.md': 'one' });
    await held.reached;
    const jobId = await mesh.upload({ 'a.md': 'two' });
    expect((await mesh.client.cancelJob({ jobId }, await mesh.as())).job?.state).toBe(JobState.CANCELLED);
    expect(staged(mesh).filter((name) => name.startsWith(jobId))).toEqual([]);
    held.open();
    await mesh.finish(first);
  });

  test('after the publish finds the job done', async () => {
    const mesh = await start();
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    mesh.index.intercept((rpc) => {
      if (rpc !== 'published') return;
      reached.resolve();
      return gate.promise;
    });
    const jobId = await mesh.upload({ 'a.md': 'one' });
    await reached.promise;
    const cancelling = mesh.client.cancelJob({ jobId }, await mesh.as());
    const requested = () => recordsOf(mesh.mesh.dataDir, 'SELECT cancel_requested FROM jobs', 'jobs');
    await expect.poll(requested, patient).toEqual([{ cancel_requested: 1 }]);
    mesh.index.intercept(() => {});
    gate.resolve();
    expect((await cancelling).job).toMatchObject({ state: JobState.SUCCEEDED, version: 1n });
    expect(mesh.index.live('help').size).toBe(1);
    await expect(cancelling.then(async () => mesh.client.cancelJob({ jobId }, await mesh.as()))).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
  });
});

describe('a version with a wrong document count', () => {
  test('is dropped and built again', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.jsonl': jsonl(3) });
    let isSpoilt = false;
    mesh.index.intercept((rpc) => {
      if (rpc !== 'publish' || isSpoilt) return;
      isSpoilt = true;
      mesh.index.building()[0]?.documents.delete('d1');
    });
    const job = await mesh.ingest({ 'b.jsonl': jsonl(5, undefined, 'x') });
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attemptCount: 2 });
    expect(mesh.index.live('help').size).toBe(8);
  });

  test('is rebuilt a limited number of times', async () => {
    const mesh = await start({ config: { maxAttempts: 2 } });
    mesh.index.intercept((rpc) => {
      if (rpc === 'publish') throw failedPrecondition(ErrorReason.VERSION_STATE, 'never');
    });
    const job = await mesh.ingest({ 'a.md': 'A' });
    expect(job).toMatchObject({ state: JobState.FAILED, attemptCount: 2 });
    expect(mesh.index.building()).toEqual([]);
  });
});

describe('a stop', () => {
  test('returns the job to the queue, and the next start continues it immediately', async () => {
    const first = await startIndexerMesh();
    const { index, embedding } = first;
    const { dataDir } = first.mesh;
    let calls = 0;
    const reached = Promise.withResolvers<void>();
    embedding.before = () => {
      if (++calls === 2) reached.resolve();
    };
    const jobId = await first.upload({ 'a.jsonl': jsonl(4000) });
    await reached.promise;
    await first.mesh.close(true);
    const embeddedBefore = embedding.inputs.length;
    expect(embeddedBefore).toBeLessThan(4000);
    expect(index.live('help').size).toBe(0);

    const second = await start({ index, embedding, dataDir });
    const startedAt = performance.now();
    const job = await second.finish(jobId);
    expect(performance.now() - startedAt).toBeLessThan(stretched(8000));
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attemptCount: 1, progress: { indexedCount: 4000n } });
    expect(index.live('help').size).toBe(4000);
    // Documents that were written are not embedded again.
    expect(embedding.inputs.length).toBe(4000);
    expect(index.building()).toEqual([]);
  });
});

describe('progress', () => {
  test('is reported while a job runs, and never decreases', async () => {
    const mesh = await start();
    mesh.embedding.before = () => new Promise((resolve) => setTimeout(resolve, 60));
    const jobId = await mesh.upload({ 'a.jsonl': jsonl(3000) });
    const seen: Job[] = [];
    for await (const { job } of mesh.client.watchJob({ jobId }, await mesh.as())) if (job) seen.push(job);
    expect(seen.length).toBeGreaterThan(3);
    const counts = seen.map(({ progress }) => Number(progress?.indexedCount ?? 0));
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-1)).toBe(3000);
  });

  test('a watcher that disconnects leaves nothing behind', async () => {
    const mesh = await start();
    const held = holdEmbedding(mesh);
    const jobId = await mesh.upload({ 'a.md': 'x' });
    await held.reached;
    for await (const { job } of mesh.client.watchJob({ jobId }, await mesh.as())) {
      if (job?.state === JobState.RUNNING) break;
    }
    held.open();
    expect(await mesh.finish(jobId)).toMatchObject({ state: JobState.SUCCEEDED });
  });
});

test('an embedding model that is slower than its deadline is called again for the remaining texts', async () => {
  const mesh = await start();
  let calls = 0;
  // Two batches of 64 for each call, then the deadline expires.
  mesh.embedding.beforeBatch = (index) => {
    if (index === 0) calls++;
    if (index === 2) throw deadlineExceeded('too slow');
  };
  expect(await mesh.ingest({ 'a.jsonl': jsonl(300) })).toMatchObject({ state: JobState.SUCCEEDED, attemptCount: 1 });
  expect(calls).toBeGreaterThan(2);
  expect(new Set(mesh.index.live('help').keys()).size).toBe(300);
});

describe('documents that the embedding model refuses', () => {
  const refuse = (mesh: IndexerMesh, word: string) => {
    mesh.embedding.check = (inputs) => {
      if (inputs.some((text) => text.includes(word))) throw invalidArgument('the provider does not accept the request');
    };
  };

  test('are failures of their own: the others are indexed, and their live versions stay', async () => {
    const mesh = await start();
    await mesh.ingest({ 'a.jsonl': jsonl(300) });
    refuse(mesh, 'poison');
    const isPoison = (index: number) => [7, 8, 299].includes(index);
    const text = (index: number) => (isPoison(index) ? `Some poison in ${index}.` : `New text of ${index}.`);
    const job = await mesh.ingest({ 'a.jsonl': jsonl(301, text) }, { deleteMissing: true });
    expect(job).toMatchObject({
      state: JobState.SUCCEEDED,
      progress: { documentCount: 301n, changedCount: 298n, indexedCount: 298n, failedCount: 3n, removedCount: 0n },
    });
    expect((await mesh.failures(job.jobId)).map(({ line, reason }) => [line, reason])).toEqual(
      [8n, 9n, 300n].map((line) => [line, 'PROVIDER_REFUSED']),
    );
    const live = mesh.index.live('help');
    expect(live.size).toBe(301);
    expect(live.get('d7')?.chunks[0]?.text).toContain('Text of 7.');
    expect(live.get('d9')?.chunks[0]?.text).toContain('New text of 9.');
  });

  test('fail their job if there are many, because then the model is at fault', async () => {
    const mesh = await start();
    refuse(mesh, 'poison');
    const job = await mesh.ingest({ 'a.jsonl': jsonl(120, (index) => (index < 20 ? 'poison' : 'good')) });
    expect(job).toMatchObject({ state: JobState.FAILED, attemptCount: 1 });
    expect(mesh.index.building()).toEqual([]);
  });
});

test('a document that becomes a draft is withdrawn, with its parts; others of its file stay', async () => {
  const mesh = await start();
  const page = (head: string) => `---\n${head}\n---\nA page.`;
  const row = (id: string, more: object = {}) => JSON.stringify({ id, text: `Text of ${id}.`, ...more });
  const live = () => [...mesh.index.live('help').keys()].sort();
  await mesh.ingest({ 'a.md': page('title: A'), 'b.md': page('title: B'), 'c.jsonl': `${row('x')}\n${row('y')}` });
  expect(live()).toEqual(['a.md', 'b.md', 'x', 'y']);
  const files = { 'a.md': page('draft: true'), 'c.jsonl': `${row('x', { status: 'draft' })}\n${row('y')}` };
  expect(await mesh.ingest(files)).toMatchObject({ state: JobState.SUCCEEDED, progress: { removedCount: 2n } });
  expect(live()).toEqual(['b.md', 'y']);
  await mesh.ingest({ 'a.md': page('title: A') });
  expect(live()).toEqual(['a.md', 'b.md', 'y']);
});

test('while the embedding model is slow, no more than two batches wait for it', async () => {
  const mesh = await start();
  const held = holdEmbedding(mesh);
  let callCount = 0;
  const { before } = mesh.embedding;
  mesh.embedding.before = () => {
    callCount++;
    return before();
  };
  const jobId = await mesh.upload({ 'a.jsonl': jsonl(2000) });
  await held.reached;
  await sleep(500);
  expect(callCount).toBeLessThanOrEqual(2);
  expect((await mesh.client.getJob({ jobId }, await mesh.as())).job?.progress?.documentCount).toBeLessThanOrEqual(256n);
  held.open();
  expect(await mesh.finish(jobId)).toMatchObject({ state: JobState.SUCCEEDED, progress: { indexedCount: 2000n } });
});

test('chunks fit the embedding model', async () => {
  const mesh = await start();
  const sentence = 'A parcel that is lost on its way is sent again, or its price is paid back within nine days. ';
  const text = sentence.repeat(200);
  const longest = async (maxInputTokens: number, corpus: string) => {
    mesh.embedding.maxInputTokens = maxInputTokens;
    mesh.embedding.inputs.length = 0;
    expect(await mesh.ingest({ 'a.md': text }, { corpus })).toMatchObject({ state: JobState.SUCCEEDED });
    return Math.max(...mesh.embedding.inputs.map(estimateTokens));
  };
  expect(await longest(0, 'free')).toBeGreaterThan(200);
  expect(await longest(128, 'short')).toBeLessThanOrEqual(128);
});
