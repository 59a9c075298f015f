import { describe, expect, test } from 'vitest';
import { JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type JobQueue, type Lease, LeaseLostError, type NewJob } from '../jobs/job-queue.ts';

/** A queue under test. */
export interface JobQueueCase {
  /** Opens a queue over the records of this test; a second call opens the same records again. */
  open(clock: () => number): Promise<JobQueue>;
  close(): Promise<void>;
}

/** The contract suite of job queues. */
export function jobQueueSuite(name: string, create: () => JobQueueCase): void {
  describe(`the ${name} job queue`, () => {
    const setUp = async () => {
      const time = { now: 1_000_000 };
      const queueCase = create();
      const queue = await queueCase.open(() => time.now);
      let count = 0;
      const add = async (init: Partial<NewJob> = {}) => {
        const jobId = init.jobId ?? `job-${++count}`;
        const job = {
          tenant: 'acme',
          user: 'ann',
          groups: ['staff'],
          corpus: 'help',
          deleteMissing: false,
          totalBytes: 7,
        };
        await queue.add({ ...job, jobId, ...init });
        return jobId;
      };
      const take = (owner = 'one', gone: string[] = [], busy: string[] = []) =>
        queue.take({ owner, leaseMs: 10_000, isGone: (other) => gone.includes(other), busy });
      const find = async (jobId: string) => (await queue.list({ jobId, limit: 1 }))[0];
      const succeed = (lease: Lease) =>
        queue.update(lease, { outcome: { kind: 'succeeded', version: 3n, revision: 'r' } });
      return { time, queue, queueCase, add, take, find, succeed, [Symbol.asyncDispose]: () => queueCase.close() };
    };

    test('keeps what was added, over a restart', async () => {
      await using t = await setUp();
      await t.add({ jobId: 'a', deleteMissing: true });
      const again = await t.queueCase.open(() => t.time.now);
      const [job] = await again.list({ tenant: 'acme', limit: 10 });
      expect(job).toMatchObject({
        jobId: 'a',
        tenant: 'acme',
        user: 'ann',
        groups: ['staff'],
        corpus: 'help',
        deleteMissing: true,
      });
      expect(job).toMatchObject({
        state: JobState.QUEUED,
        attemptCount: 0,
        error: '',
        version: 0n,
        createdAtMs: t.time.now,
      });
      expect(job?.progress.totalBytes).toBe(7);
    });

    test('gives a job to one worker, and stores its outcome', async () => {
      await using t = await setUp();
      await t.add();
      const lease = (await t.take('one')) as Lease;
      expect(lease.job).toMatchObject({ state: JobState.RUNNING, attemptCount: 1 });
      expect(await t.take('two')).toBeUndefined();
      const progress = { ...lease.job.progress, indexedCount: 5 };
      await t.queue.update(lease, { phase: JobPhase.INDEX, progress, checkpoint: { isBuilding: true, version: '4' } });
      expect(await t.find('job-1')).toMatchObject({
        phase: JobPhase.INDEX,
        progress: { indexedCount: 5 },
        checkpoint: { version: '4' },
      });
      await t.succeed(lease);
      expect(await t.find('job-1')).toMatchObject({ state: JobState.SUCCEEDED, version: 3n, revision: 'r' });
      expect(await t.take('two')).toBeUndefined();
    });

    test('runs jobs of a corpus one after another in order, and those of other corpora concurrently', async () => {
      await using t = await setUp();
      await t.add();
      await t.add();
      await t.add({ corpus: 'shop' });
      await t.add({ tenant: 'other' });
      const first = (await t.take('one')) as Lease;
      const second = (await t.take('two')) as Lease;
      const third = (await t.take('three')) as Lease;
      expect([first, second, third].map(({ job }) => job.jobId).sort()).toEqual(['job-1', 'job-3', 'job-4']);
      expect(await t.take('four')).toBeUndefined();
      await t.succeed([first, second, third].find(({ job }) => job.jobId === 'job-1') as Lease);
      expect((await t.take('four'))?.job.jobId).toBe('job-2');
    });

    test('lets tenants take turns', async () => {
      await using t = await setUp();
      for (const corpus of ['a', 'b', 'c']) await t.add({ corpus });
      await t.add({ tenant: 'other' });
      const order: string[] = [];
      for (let count = 0; count < 4; count++) {
        const lease = (await t.take()) as Lease;
        order.push(lease.job.tenant);
        t.time.now += 1;
        await t.succeed(lease);
      }
      expect(order.indexOf('other')).toBeLessThanOrEqual(1);
    });

    test('an expired lease goes to another worker, and writes of the first one are rejected', async () => {
      await using t = await setUp();
      await t.add();
      const first = (await t.take('one')) as Lease;
      t.time.now += 9_999;
      expect(await t.take('two')).toBeUndefined();
      t.time.now += 1;
      const second = (await t.take('two')) as Lease;
      expect(second.fence).toBeGreaterThan(first.fence);
      expect(second.job.attemptCount).toBe(1);
      const progress = { ...first.job.progress, indexedCount: 99 };
      await expect(t.queue.update(first, { progress })).rejects.toThrow(LeaseLostError);
      await expect(t.succeed(first)).rejects.toThrow(LeaseLostError);
      expect(await t.find('job-1')).toMatchObject({ state: JobState.RUNNING, progress: { indexedCount: 0 } });
      await t.succeed(second);
    });

    test('every update renews the lease', async () => {
      await using t = await setUp();
      await t.add();
      const lease = (await t.take('one')) as Lease;
      for (let count = 0; count < 5; count++) {
        t.time.now += 6_000;
        await t.queue.update(lease, {});
        expect(await t.take('two')).toBeUndefined();
      }
    });

    test('a job of an owner that is known to be gone is leased immediately', async () => {
      await using t = await setUp();
      await t.add();
      await t.take('one');
      expect(await t.take('two', ['other'])).toBeUndefined();
      expect((await t.take('two', ['one']))?.job.jobId).toBe('job-1');
    });

    test('a worker never gets a running job again; a restarted worker gets its job immediately', async () => {
      await using t = await setUp();
      await t.add();
      await t.take('one');
      t.time.now += 100_000;
      expect(await t.take('one', [], ['job-1'])).toBeUndefined();
      expect((await t.take('one'))?.job).toMatchObject({ jobId: 'job-1', attemptCount: 1 });
    });

    test('a job returned to the queue continues as the same attempt', async () => {
      await using t = await setUp();
      await t.add();
      const lease = (await t.take('one')) as Lease;
      await t.queue.update(lease, { outcome: { kind: 'released', dueAtMs: t.time.now } });
      expect(await t.find('job-1')).toMatchObject({ state: JobState.QUEUED, attemptCount: 1 });
      expect((await t.take('two'))?.job.attemptCount).toBe(1);
    });

    test('a retry waits until it is due, keeps its position, and shows why', async () => {
      await using t = await setUp();
      await t.add();
      await t.add();
      const lease = (await t.take()) as Lease;
      await t.queue.update(lease, { outcome: { kind: 'retry', error: 'away', dueAtMs: t.time.now + 500 } });
      expect(await t.find('job-1')).toMatchObject({ state: JobState.QUEUED, error: 'away' });
      expect(await t.take()).toBeUndefined();
      t.time.now += 500;
      const again = (await t.take()) as Lease;
      expect(again.job).toMatchObject({ jobId: 'job-1', attemptCount: 2, error: '' });
    });

    test('a failed job stays failed until it is retried', async () => {
      await using t = await setUp();
      await t.add();
      const lease = (await t.take()) as Lease;
      await t.queue.update(lease, { outcome: { kind: 'failed', error: 'no way' } });
      expect(await t.find('job-1')).toMatchObject({ state: JobState.FAILED, error: 'no way' });
      expect(await t.take()).toBeUndefined();
      const again = await t.queue.request('acme', 'job-1', 'retry');
      expect(again).toMatchObject({ state: JobState.QUEUED, attemptCount: 0 });
      expect((await t.take())?.job.attemptCount).toBe(1);
    });

    test('cancelling ends a waiting job, and asks a running one to stop', async () => {
      await using t = await setUp();
      await t.add();
      await t.add({ corpus: 'shop' });
      expect(await t.queue.request('acme', 'job-2', 'cancel')).toMatchObject({ state: JobState.CANCELLED });
      const lease = (await t.take()) as Lease;
      expect(await t.queue.request('acme', 'job-1', 'cancel')).toMatchObject({
        state: JobState.RUNNING,
        isCancelRequested: true,
      });
      expect(await t.queue.update(lease, {})).toEqual({ isCancelRequested: true });
      await t.queue.update(lease, { outcome: { kind: 'cancelled' } });
      expect(await t.queue.request('acme', 'job-1', 'cancel')).toMatchObject({ state: JobState.CANCELLED });
    });

    test('a cancelled job with an unfinished version is leased once more, to drop that version', async () => {
      await using t = await setUp();
      await t.add();
      const lease = (await t.take()) as Lease;
      const outcome = { kind: 'retry', error: 'away', dueAtMs: t.time.now + 60_000 } as const;
      await t.queue.update(lease, { checkpoint: { isBuilding: true }, outcome });
      expect(await t.queue.request('acme', 'job-1', 'cancel')).toMatchObject({ state: JobState.QUEUED });
      expect((await t.take())?.job).toMatchObject({ jobId: 'job-1', isCancelRequested: true });
    });

    test('a request that the state does not allow, or for an unknown job, is refused', async () => {
      await using t = await setUp();
      await t.add();
      const reason = (work: Promise<unknown>) =>
        work.then(
          () => undefined,
          (error) => errorInfoOf(error)?.reason,
        );
      expect(await reason(t.queue.request('acme', 'job-1', 'retry'))).toBe('JOB_STATE');
      expect(await reason(t.queue.request('other', 'job-1', 'cancel'))).toBe('RESOURCE_NOT_FOUND');
      await t.succeed((await t.take()) as Lease);
      expect(await reason(t.queue.request('acme', 'job-1', 'cancel'))).toBe('JOB_STATE');
    });

    test('a job fails after too many lost workers', async () => {
      await using t = await setUp();
      await t.add();
      let takenCount = 0;
      for (; takenCount < 200; takenCount++) {
        if ((await t.take(`worker-${takenCount}`, [`worker-${takenCount - 1}`])) === undefined) break;
      }
      expect(takenCount).toBeGreaterThan(20);
      expect(takenCount).toBeLessThan(200);
      expect(await t.find('job-1')).toMatchObject({ state: JobState.FAILED });
    });

    test('lists the latest first, by tenant, corpus, state and position, and counts open jobs', async () => {
      await using t = await setUp();
      for (const corpus of ['a', 'b', 'a']) await t.add({ corpus });
      await t.add({ tenant: 'other' });
      const ids = async (filter: object) => (await t.queue.list({ limit: 10, ...filter })).map(({ jobId }) => jobId);
      expect(await ids({ tenant: 'acme' })).toEqual(['job-3', 'job-2', 'job-1']);
      expect(await ids({ tenant: 'acme', corpus: 'a', limit: 1 })).toEqual(['job-3']);
      const [last] = await t.queue.list({ tenant: 'acme', limit: 1 });
      expect(await ids({ tenant: 'acme', beforeSequence: last?.sequence })).toEqual(['job-2', 'job-1']);
      await t.take();
      expect(await ids({ states: [JobState.RUNNING] })).toHaveLength(1);
      expect(await t.queue.countOpen()).toBe(4);
      expect(await t.queue.countOpen('other')).toBe(1);
    });
  });
}
