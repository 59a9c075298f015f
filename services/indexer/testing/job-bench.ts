import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '@bufbuild/protobuf';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { createJobStore } from '../jobs/create-job-store.ts';
import type { JobQueue, JobQueueDeps } from '../jobs/job-queue.ts';
import type { JobRecord, JobStore, NewJob } from '../jobs/job-store.ts';
import { type JobsSchema, jobsMigrations } from '../jobs/job-table.ts';
import { startJobWorker } from '../jobs/job-worker.ts';
import type { JobRun } from '../jobs/run/job-run.ts';

/** A queue adapter with its settings. */
export interface QueueChoice {
  adapter: string;
  settings: JsonObject;
}

/** A line that a worker process writes when it begins or ends a job. */
export interface LogLine {
  what: 'begin' | 'end';
  jobId: string;
}

/** Records of jobs, and workers that take them over a queue. */
export interface JobBench {
  /** Adds jobs and returns their ids. */
  add(count: number, corpusOf?: (index: number) => string, init?: Partial<NewJob>): Promise<string[]>;
  find(jobId: string): Promise<JobRecord | undefined>;
  /** Returns the number of jobs that have succeeded. */
  succeeded(): Promise<number>;
  /** Starts a worker in this process. */
  worker(
    work: (run: JobRun) => Promise<void>,
    options?: { maxRunningJobs?: number },
  ): Promise<{ stop(): Promise<void>; backlog(): Promise<ReadonlyMap<string, number>> }>;
  /** Starts a worker in a process of its own. */
  spawn(): { kill(): void };
  /** Returns what worker processes have written. */
  log(): LogLine[];
  close(): Promise<void>;
}

const queues = new URL('../adapters/job-queue/', import.meta.url);
const childPath = fileURLToPath(new URL('./queue-worker-child.ts', import.meta.url));
const silent = createLogger('silent');

/** Starts a worker over a queue. */
export async function startBenchWorker(
  { adapter, settings }: QueueChoice,
  jobs: JobStore,
  work: (run: JobRun) => Promise<void>,
  { maxRunningJobs = 1, changed = () => {} }: { maxRunningJobs?: number; changed?: () => void } = {},
) {
  const deps: JobQueueDeps = { notices: jobs, log: silent, path: 'queue' };
  const queue = await createFromAdapter<JobQueue, JobQueueDeps>(queues, adapter, settings, deps, 'queue');
  const worker = startJobWorker({
    jobs,
    queue,
    owner: { name: `${process.pid}-${Math.random()}`, isGone: () => false },
    maxRunningJobs,
    maxAttempts: 5,
    leaseMs: 5000,
    clock: Date.now,
    random: Math.random,
    log: silent,
    async work(run) {
      await work(run);
      return { version: 1n, revision: 'r' };
    },
    abandon: async () => undefined,
    changed,
    ended: async () => {},
  });
  return { queue, worker };
}

/** Opens the records of jobs in a file, also if another process has them open. */
export async function openBenchJobs(path: string): Promise<{ jobs: JobStore; close(): Promise<void> }> {
  const thread = createSqliteThread();
  const database = await openDatabase<JobsSchema>(thread, path, jobsMigrations.sqlite);
  return {
    jobs: createJobStore(database, Date.now),
    async close() {
      await database.destroy();
      await thread.close();
    },
  };
}

/** Creates records and workers over a queue. */
export async function createJobBench(choice: QueueChoice): Promise<JobBench> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-bench-'));
  const [path, logPath] = [join(folder, 'jobs.db'), join(folder, 'log')];
  const { jobs, close } = await openBenchJobs(path);
  const started: Awaited<ReturnType<typeof startBenchWorker>>[] = [];
  const children: ChildProcess[] = [];
  const stop = async ({ worker, queue }: (typeof started)[number]) => {
    await worker.close();
    await queue.close();
  };
  let added = 0;
  return {
    async add(count, corpusOf = () => 'help', init = {}) {
      const ids = Array.from({ length: count }, () => `job-${added++}`);
      for (const [index, jobId] of ids.entries()) {
        const job = { jobId, tenant: 'acme', user: 'ann', groups: [], corpus: corpusOf(index) };
        await jobs.add({ ...job, deleteMissing: false, totalBytes: 1, ...init });
      }
      for (const { worker } of started) worker.wake();
      return ids;
    },
    find: async (jobId) => (await jobs.list({ jobId, limit: 1 }))[0],
    succeeded: async () => (await jobs.list({ states: [JobState.SUCCEEDED], limit: 1000 })).length,
    async worker(work, options) {
      const one = await startBenchWorker(choice, jobs, work, options);
      started.push(one);
      return {
        async stop() {
          started.splice(started.indexOf(one), 1);
          await stop(one);
        },
        backlog: () => one.queue.backlog(new AbortController().signal),
      };
    },
    spawn() {
      const child = spawn(process.execPath, [childPath, JSON.stringify({ path, logPath, choice })], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      children.push(child);
      return { kill: () => child.kill('SIGKILL') };
    },
    log: () =>
      (existsSync(logPath) ? readFileSync(logPath, 'utf8').trim().split('\n') : []).flatMap((line) =>
        line === '' ? [] : [JSON.parse(line) as LogLine],
      ),
    async close() {
      for (const child of children) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
      }
      for (const one of started.splice(0)) await stop(one);
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
