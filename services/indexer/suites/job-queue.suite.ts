import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import type { JobRun } from '../jobs/run/job-run.ts';
import { createJobBench, type JobBench, type QueueChoice } from '../testing/job-bench.ts';

/** A queue under test. */
export interface JobQueueCase extends QueueChoice, AsyncDisposable {
  /** For a queue with a server: how the test stops and starts it, and how it reaches its messages. */
  broker?: Broker;
}

/** The server of a queue. */
export interface Broker {
  /** Kills the server. What it has acknowledged may be lost. */
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
  /** Sends a message of any text, as a faulty program would. */
  send(text: string): Promise<void>;
  /** Returns the texts of the messages that no worker could use. */
  deadLetters(): Promise<string[]>;
  topic: string;
}

const patient = { timeout: 40_000, interval: 50 };

/** The contract suite of job queues. `testCount` of `skipped` is 9 for a queue with a server, 6 for one without. */
export function jobQueueSuite(name: string, create: () => Promise<JobQueueCase>): void {
  describe(`the ${name} job queue`, () => {
    let queueCase: JobQueueCase;
    let bench: JobBench;
    beforeEach(async () => {
      queueCase = await create();
      bench = await createJobBench(queueCase);
    });
    afterEach(async () => {
      await bench.close();
      await queueCase[Symbol.asyncDispose]();
    });

    test('runs every job once, those of a corpus in order and one at a time, on several workers', async () => {
      const runs: string[] = [];
      const busy = new Set<string>();
      const work = async ({ job }: JobRun) => {
        expect(busy.has(job.corpus)).toBe(false);
        busy.add(job.corpus);
        await sleep(5);
        runs.push(job.jobId);
        busy.delete(job.corpus);
      };
      for (let count = 0; count < 3; count++) await bench.worker(work, { maxRunningJobs: 2 });
      const ids = await bench.add(30, (at) => `corpus-${at % 5}`);
      await expect.poll(bench.succeeded, patient).toBe(30);
      expect([...runs].sort()).toEqual([...ids].sort());
      for (let at = 0; at < 5; at++) {
        const of = (list: string[]) => list.filter((id) => ids.indexOf(id) % 5 === at);
        expect(of(runs)).toEqual(of(ids));
      }
    });

    test('runs an urgent job beside a long one that fills the worker, and no other', async () => {
      const begun: string[] = [];
      const long = Promise.withResolvers<void>();
      onTestFinished(() => long.resolve());
      await bench.worker(async ({ job }) => {
        begun.push(job.jobId);
        if (job.corpus === 'bulk') await long.promise;
      });
      const [bulk, waiting] = await bench.add(2, (at) => (at === 0 ? 'bulk' : 'other'));
      await expect.poll(() => begun.length, patient).toBeGreaterThan(0);
      // Whichever of both was first, both are over or the long one runs; a later one waits.
      await expect.poll(() => begun.includes(bulk as string), patient).toBe(true);
      const [later] = await bench.add(1, () => 'later');
      const [urgent] = await bench.add(1, () => 'urgent', { isUrgent: true });
      await expect.poll(() => begun.includes(urgent as string), patient).toBe(true);
      expect(begun).not.toContain(later);
      long.resolve();
      await expect.poll(bench.succeeded, patient).toBe(4);
      expect(begun).toContain(waiting);
    });

    test('offers a job again after an outage of what it needs', async () => {
      let tries = 0;
      await bench.worker(async () => {
        if (++tries === 1) throw unavailable('retrieval', 'away');
      });
      const [jobId] = await bench.add(1);
      await expect.poll(bench.succeeded, patient).toBe(1);
      expect(tries).toBe(2);
      expect(await bench.find(jobId as string)).toMatchObject({ attemptCount: 2 });
    });

    test('jobs that were added without a worker wait for the first one', async () => {
      await bench.add(3, (at) => `corpus-${at}`);
      await bench.worker(async () => {});
      await expect.poll(bench.succeeded, patient).toBe(3);
    });

    test('a worker that stops returns its job, and another one continues it as the same attempt', async () => {
      const begun = Promise.withResolvers<void>();
      const first = await bench.worker(async ({ signal }) => {
        begun.resolve();
        await sleep(60_000, signal);
      });
      const [jobId] = await bench.add(1);
      await begun.promise;
      await first.stop();
      expect(await bench.find(jobId as string)).toMatchObject({ state: JobState.QUEUED });
      await bench.worker(async () => {});
      await expect.poll(bench.succeeded, patient).toBe(1);
      expect(await bench.find(jobId as string)).toMatchObject({ attemptCount: 1 });
    });

    test('jobs of worker processes that are killed go to others: none is lost, and only those run again', async () => {
      const kills = 4;
      const ids = await bench.add(24, (at) => `corpus-${at % 6}`);
      const children = [bench.spawn(), bench.spawn(), bench.spawn()];
      for (let count = 0; count < kills; count++) {
        await expect
          .poll(() => bench.log().filter(({ what }) => what === 'begin').length, patient)
          .toBeGreaterThan(2 + count * 4);
        children.shift()?.kill();
        children.push(bench.spawn());
      }
      await expect.poll(bench.succeeded, { ...patient, timeout: 180_000 }).toBe(24);
      const ends = bench.log().filter(({ what }) => what === 'end');
      // A process can be killed between the end of its work and the note of that.
      const ended = [...new Set(ends.map(({ jobId }) => jobId))];
      expect(ended.toSorted()).toEqual([...ids].sort());
      expect(ends.length - ids.length).toBeLessThanOrEqual(kills);
      for (let at = 0; at < 6; at++) {
        const of = ids.filter((_, index) => index % 6 === at);
        expect(ended.filter((id) => of.includes(id))).toEqual(of);
      }
    }, 240_000);
  });
}

/** The part of the contract suite for queues with a server. */
export function brokerSuite(name: string, create: () => Promise<JobQueueCase & { broker: Broker }>): void {
  describe(`the server of the ${name} job queue`, () => {
    let queueCase: JobQueueCase & { broker: Broker };
    let bench: JobBench;
    beforeEach(async () => {
      queueCase = await create();
      bench = await createJobBench(queueCase);
    });
    afterEach(async () => {
      await bench.close();
      await queueCase[Symbol.asyncDispose]();
    });

    test('may be killed at any time: jobs are accepted, those that run end, and all are run when it is back', async () => {
      const { broker } = queueCase;
      for (let count = 0; count < 2; count++) await bench.worker(async () => sleep(20));
      await bench.add(10, (at) => `corpus-${at % 5}`);
      await expect.poll(bench.succeeded, patient).toBeGreaterThan(2);
      await broker.kill();
      await bench.add(10, (at) => `later-${at}`);
      await sleep(2000);
      await broker.restart();
      await expect.poll(bench.succeeded, { ...patient, timeout: 120_000 }).toBe(20);
    }, 200_000);

    test('a message of no job is set apart, and the messages after it are used', async () => {
      const { broker } = queueCase;
      const worker = await bench.worker(async () => {});
      await bench.add(1);
      await expect.poll(bench.succeeded, patient).toBe(1);
      const unknown = JSON.stringify({ job_id: 'unknown', tenant: 'acme', corpus: 'help' });
      for (const text of ['not a message', unknown]) await broker.send(text);
      await bench.add(1, () => 'help');
      await expect.poll(bench.succeeded, patient).toBe(2);
      await expect.poll(broker.deadLetters, patient).toHaveLength(2);
      expect(await broker.deadLetters()).toEqual(expect.arrayContaining([expect.stringContaining('unknown')]));
      await expect.poll(worker.backlog, patient).toEqual(new Map([[broker.topic, 0]]));
    });

    test('its backlog counts the messages that wait and those in work', async () => {
      const { broker } = queueCase;
      const go = Promise.withResolvers<void>();
      const worker = await bench.worker(({ signal }) => Promise.race([go.promise, sleep(300_000, signal)]));
      await bench.add(4, (at) => `corpus-${at}`);
      // A message may be sent twice.
      const backlog = async () => (await worker.backlog()).get(broker.topic) ?? 0;
      await expect.poll(backlog, patient).toBeGreaterThanOrEqual(4);
      go.resolve();
      await expect.poll(bench.succeeded, patient).toBe(4);
      await expect.poll(worker.backlog, patient).toEqual(new Map([[broker.topic, 0]]));
    });
  });
}
