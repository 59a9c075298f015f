import { create as createMessage } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { GateReportSchema, GateVerdict } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { reportOf } from '../gate/report.ts';
import { type JobStore, type Lease, LeaseLostError, type NewJob } from '../jobs/job-store.ts';

/** A store under test. */
export interface JobStoreCase {
  /** Opens a store over the records of this test; a second call opens the same records again. */
  open(clock: () => number): Promise<JobStore>;
  /** Connections that may use the records concurrently. */
  replicaCount: number;
  close(): Promise<void>;
}

/** The contract suite of job stores. */
export function jobStoreSuite(name: string, create: () => JobStoreCase): void {
  describe(`jobs in ${name}`, () => {
    const setUp = async () => {
      const time = { now: 1_000_000 };
      const storeCase = create();
      const jobs = await storeCase.open(() => time.now);
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
        await jobs.add({ ...job, jobId, ...init });
        return jobId;
      };
      const take = (owner = 'one', gone: string[] = [], busy: string[] = []) =>
        jobs.take({ owner, leaseMs: 10_000, isGone: (other) => gone.includes(other), busy });
      const find = async (jobId: string) => (await jobs.list({ jobId, limit: 1 }))[0];
      const succeed = (lease: Lease) =>
        jobs.update(lease, { outcome: { kind: 'succeeded', version: 3n, revision: 'r' } });
      return { time, jobs, storeCase, add, take, find, succeed, [Symbol.asyncDispose]: () => storeCase.close() };
    };

    test('keeps what was added, over a restart', async () => {
      await using t = await setUp();
      await t.add({ jobId: 'a', deleteMissing: true });
      const again = await t.storeCase.open(() => t.time.now);
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
      await t.jobs.update(lease, { phase: JobPhase.INDEX, progress, checkpoint: { isBuilding: true, version: '4' } });
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

    test('a retried job waits while a later job of its corpus runs, and precedes those that wait', async () => {
      await using t = await setUp();
      for (let count = 0; count < 3; count++) await t.add();
      const first = (await t.take()) as Lease;
      await t.jobs.update(first, { outcome: { kind: 'failed', error: 'no way' } });
      const second = (await t.take('two')) as Lease;
      await t.jobs.request('acme', 'job-1', { kind: 'retry' });
      expect(await t.take('three')).toBeUndefined();
      // Its worker is lost: the corpus is not blocked by the job before it.
      t.time.now += 10_000;
      const again = (await t.take('three')) as Lease;
      expect(again.job.jobId).toBe(second.job.jobId);
      await t.succeed(again);
      expect((await t.take('four'))?.job.jobId).toBe('job-1');
    });

    test('an urgent job is taken before the jobs of other corpora that came earlier, but not before those of its own', async () => {
      await using t = await setUp();
      for (const corpus of ['a', 'b']) await t.add({ jobId: `upload-${corpus}`, corpus });
      for (const corpus of ['a', 'c']) await t.add({ jobId: `edit-${corpus}`, corpus, isUrgent: true });
      expect((await t.jobs.announce(30_000, 1)).map(({ jobId }) => jobId)).toEqual(['edit-c']);
      const urgent = { leaseMs: 10_000, isGone: () => false, busy: [], onlyUrgent: true };
      const taken: (string | undefined)[] = [];
      for (const owner of ['x', 'y']) taken.push((await t.jobs.take({ ...urgent, owner }))?.job.jobId);
      for (const owner of ['one', 'two', 'three']) taken.push((await t.take(owner))?.job.jobId);
      expect(taken).toEqual(['edit-c', undefined, 'upload-a', 'upload-b', undefined]);
    });

    test('takes one job by its id, if it can be taken', async () => {
      await using t = await setUp();
      for (const corpus of ['a', 'a', 'b']) await t.add({ corpus });
      const taker = { owner: 'one', leaseMs: 10_000, isGone: () => false, busy: [] };
      expect(await t.jobs.take(taker, 'job-2')).toBeUndefined();
      expect((await t.jobs.take(taker, 'job-3'))?.job.jobId).toBe('job-3');
      expect(await t.jobs.take({ ...taker, owner: 'two' }, 'job-3')).toBeUndefined();
      expect(await t.jobs.take(taker, 'absent')).toBeUndefined();
    });

    test('announces each job that can be taken once, and again after a change or a while', async () => {
      await using t = await setUp();
      for (const corpus of ['a', 'a', 'b']) await t.add({ corpus });
      const announced = async () => (await t.jobs.announce(30_000, 10)).map(({ jobId }) => jobId).sort();
      t.time.now += 1;
      expect(await t.jobs.announce(30_000, 1)).toHaveLength(1);
      expect(await announced()).toHaveLength(1);
      expect(await announced()).toEqual([]);
      await t.jobs.unannounce(['job-1']);
      expect(await announced()).toEqual(['job-1']);
      t.time.now += 30_000;
      expect(await announced()).toEqual(['job-1', 'job-3']);
      const lease = (await t.take()) as Lease;
      expect(lease.job.jobId).toBe('job-1');
      t.time.now += 1;
      expect(await announced()).toEqual([]);
      // A lost worker.
      t.time.now += 10_000;
      expect(await announced()).toEqual(['job-1']);
      const next = (await t.take('two')) as Lease;
      await t.succeed(next);
      t.time.now += 1;
      expect(await announced()).toEqual(['job-2']);
    });

    test('gives each job to one of many workers that ask concurrently, and never two jobs of a corpus', async () => {
      await using t = await setUp();
      const stores = await Promise.all(
        Array.from({ length: t.storeCase.replicaCount }, () => t.storeCase.open(() => t.time.now)),
      );
      const ids = Array.from({ length: 40 }, (_, at) => `c-${at}`);
      await Promise.all(ids.map((jobId, at) => t.add({ jobId, corpus: `corpus-${at % 7}` })));
      const order = (await t.jobs.list({ limit: 100 })).reverse();
      const ended: string[] = [];
      const running = new Set<string>();
      const work = async (jobs: JobStore, owner: string) => {
        for (let idleCount = 0; ended.length < ids.length && idleCount < 2000; ) {
          const lease = await jobs.take({ owner, leaseMs: 10_000, isGone: () => false, busy: [] });
          if (lease === undefined) {
            idleCount++;
            await new Promise((resolve) => setTimeout(resolve, 1));
            continue;
          }
          const { jobId, corpus } = lease.job;
          expect(running.has(corpus)).toBe(false);
          running.add(corpus);
          await new Promise((resolve) => setTimeout(resolve, 2));
          running.delete(corpus);
          await jobs.update(lease, { outcome: { kind: 'succeeded', version: 1n, revision: 'r' } });
          ended.push(jobId);
        }
      };
      await Promise.all(
        Array.from({ length: 4 }, (_, at) => work(stores[at % stores.length] as JobStore, `worker-${at}`)),
      );
      expect([...ended].sort()).toEqual([...ids].sort());
      for (let at = 0; at < 7; at++) {
        const of = (list: string[]) => list.filter((id) => Number(id.slice(2)) % 7 === at);
        expect(of(ended)).toEqual(of(order.map(({ jobId }) => jobId)));
      }
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
      await expect(t.jobs.update(first, { progress })).rejects.toThrow(LeaseLostError);
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
        await t.jobs.update(lease, {});
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
      await t.jobs.update(lease, { outcome: { kind: 'released', dueAtMs: t.time.now } });
      expect(await t.find('job-1')).toMatchObject({ state: JobState.QUEUED, attemptCount: 1 });
      expect((await t.take('two'))?.job.attemptCount).toBe(1);
    });

    test('a retry waits until it is due, keeps its position, and shows why', async () => {
      await using t = await setUp();
      await t.add();
      await t.add();
      const lease = (await t.take()) as Lease;
      await t.jobs.update(lease, { outcome: { kind: 'retry', error: 'away', dueAtMs: t.time.now + 500 } });
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
      await t.jobs.update(lease, { outcome: { kind: 'failed', error: 'no way' } });
      expect(await t.find('job-1')).toMatchObject({ state: JobState.FAILED, error: 'no way' });
      expect(await t.take()).toBeUndefined();
      const again = await t.jobs.request('acme', 'job-1', { kind: 'retry' });
      expect(again).toMatchObject({ state: JobState.QUEUED, attemptCount: 0 });
      expect((await t.take())?.job.attemptCount).toBe(1);
    });

    test('a held job blocks its corpus until it is approved, and then publishes, or rejected, and then drops its version', async () => {
      await using t = await setUp();
      const checkpoint = { isBuilding: true, version: '7', expectedDocumentCount: '3' };
      const report = createMessage(GateReportSchema, { version: 7n, verdict: GateVerdict.HELD });
      for (let count = 0; count < 3; count++) await t.add();
      await t.jobs.update((await t.take()) as Lease, { outcome: { kind: 'held', checkpoint, report } });
      expect(await t.find('job-1')).toMatchObject({ state: JobState.HELD, checkpoint });
      expect(await t.take('two')).toBeUndefined();
      expect(await t.jobs.countHeld()).toBe(1);
      expect(await t.jobs.countOpen()).toBe(2);

      const wish = { kind: 'decide', isApproved: true, user: 'olga', comment: 'as wanted' } as const;
      const approved = await t.jobs.request('acme', 'job-1', wish);
      expect(approved).toMatchObject({ state: JobState.QUEUED, isCancelRequested: false, checkpoint });
      const decision = { approved: true, user: 'olga', comment: 'as wanted' };
      expect(reportOf(approved.gate)).toMatchObject({ version: 7n, decision });
      const lease = (await t.take('two')) as Lease;
      expect(lease.job.jobId).toBe('job-1');
      await t.succeed(lease);

      await t.jobs.update((await t.take()) as Lease, { outcome: { kind: 'held', checkpoint, report } });
      await t.jobs.request('acme', 'job-2', { ...wish, isApproved: false });
      expect((await t.take('two'))?.job).toMatchObject({ jobId: 'job-2', isCancelRequested: true, checkpoint });
    });

    test('cancelling ends a waiting job, and asks a running one to stop', async () => {
      await using t = await setUp();
      await t.add();
      await t.add({ corpus: 'shop' });
      expect(await t.jobs.request('acme', 'job-2', { kind: 'cancel' })).toMatchObject({ state: JobState.CANCELLED });
      const lease = (await t.take()) as Lease;
      expect(await t.jobs.request('acme', 'job-1', { kind: 'cancel' })).toMatchObject({
        state: JobState.RUNNING,
        isCancelRequested: true,
      });
      expect(await t.jobs.update(lease, {})).toEqual({ isCancelRequested: true });
      await t.jobs.update(lease, { outcome: { kind: 'cancelled' } });
      expect(await t.jobs.request('acme', 'job-1', { kind: 'cancel' })).toMatchObject({ state: JobState.CANCELLED });
    });

    test('a cancelled job with an unfinished version is leased once more, to drop that version', async () => {
      await using t = await setUp();
      await t.add();
      const lease = (await t.take()) as Lease;
      const outcome = { kind: 'retry', error: 'away', dueAtMs: t.time.now + 60_000 } as const;
      await t.jobs.update(lease, { checkpoint: { isBuilding: true }, outcome });
      expect(await t.jobs.request('acme', 'job-1', { kind: 'cancel' })).toMatchObject({ state: JobState.QUEUED });
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
      expect(await reason(t.jobs.request('acme', 'job-1', { kind: 'retry' }))).toBe('JOB_STATE');
      expect(await reason(t.jobs.request('other', 'job-1', { kind: 'cancel' }))).toBe('RESOURCE_NOT_FOUND');
      const wish = { kind: 'decide', isApproved: true, user: 'olga', comment: '' } as const;
      expect(await reason(t.jobs.request('acme', 'job-1', wish))).toBe('JOB_STATE');
      await t.succeed((await t.take()) as Lease);
      expect(await reason(t.jobs.request('acme', 'job-1', { kind: 'cancel' }))).toBe('JOB_STATE');
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
      const ids = async (filter: object) => (await t.jobs.list({ limit: 10, ...filter })).map(({ jobId }) => jobId);
      expect(await ids({ tenant: 'acme' })).toEqual(['job-3', 'job-2', 'job-1']);
      expect(await ids({ tenant: 'acme', corpus: 'a', limit: 1 })).toEqual(['job-3']);
      const [last] = await t.jobs.list({ tenant: 'acme', limit: 1 });
      expect(await ids({ tenant: 'acme', beforeSequence: last?.sequence })).toEqual(['job-2', 'job-1']);
      await t.take();
      expect(await ids({ states: [JobState.RUNNING] })).toHaveLength(1);
      expect(await t.jobs.countOpen()).toBe(4);
      expect(await t.jobs.countOpen('other')).toBe(1);
    });

    test('says since when the oldest waiting job waits', async () => {
      await using t = await setUp();
      expect(await t.jobs.waitingSinceMs()).toBeUndefined();
      await t.add({});
      const [first] = await t.jobs.list({ limit: 1 });
      expect(await t.jobs.waitingSinceMs()).toBe(first?.createdAtMs);
      await t.take();
      expect(await t.jobs.waitingSinceMs()).toBeUndefined();
    });
  });
}
