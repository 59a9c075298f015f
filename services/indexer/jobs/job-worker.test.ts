import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { openBenchJobs } from '../testing/job-bench.ts';
import type { QueueWorker } from './job-queue.ts';
import { startJobWorker } from './job-worker.ts';

test('a job that is offered several times concurrently is run once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-jobs-'));
  const { jobs, close } = await openBenchJobs(join(folder, 'jobs.db'));
  onTestFinished(async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  });
  let offered: QueueWorker | undefined;
  const runs: string[] = [];
  const worker = startJobWorker({
    jobs,
    queue: {
      start: (queueWorker) => {
        offered = queueWorker;
      },
      wake() {},
      backlog: async () => new Map(),
      stop: async () => {},
      close: async () => {},
    },
    owner: { name: 'worker', isGone: () => false },
    maxRunningJobs: 4,
    maxAttempts: 5,
    leaseMs: 60_000,
    clock: Date.now,
    random: Math.random,
    log: createLogger('silent'),
    async work({ job }) {
      runs.push(job.jobId);
      return { version: 1n, revision: 'r' };
    },
    abandon: async () => undefined,
    changed() {},
    ended: async () => {},
  });
  const job = { tenant: 'acme', user: 'ann', groups: [], corpus: 'help', deleteMissing: false, totalBytes: 1 };
  await jobs.add({ ...job, jobId: 'one' });
  const answers = await Promise.all(Array.from({ length: 8 }, () => offered?.offer('one')));
  await worker.close();
  expect(runs).toEqual(['one']);
  expect(answers.filter((answer) => answer === 'none')).toHaveLength(7);
});
