import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { within } from '#kit/base/within.ts';
import type { Settings } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { openLibraryRedis, type RedisConnection } from '#kit/storage/redis.ts';
import { redisSettings } from '#kit/storage/redis-settings.ts';
import type { JobQueue, JobQueueDeps, QueueWorker } from '../../jobs/job-queue.ts';
import type { JobNotice } from '../../jobs/job-store.ts';
import { offerUntilAnswered, type Relay, startRelay } from '../../jobs/messages.ts';

type Bullmq = typeof import('bullmq');

const settings = {
  ...redisSettings('{ragmesh}'),
  queue: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^:]+$/)
    .describe('Name of the queue')
    .default('index-jobs'),
  lock_ms: z
    .int()
    .min(2000)
    .max(300_000)
    .describe('Time after which the messages of a lost worker go to others')
    .default(10_000),
};

/** Messages that no worker can use, kept in the failed set of the queue. */
const deadLettersMax = 10_000;
/** Workers that may be lost with one message. The records fail a job long before. */
const stalledMax = 1000;
const closeTimeoutMs = 5000;
/** The lower number is taken first. */
const priorities = { urgent: 1, other: 2 };

function createQueue(
  { Queue, Worker, UnrecoverableError }: Bullmq,
  redis: RedisConnection,
  { key_prefix: prefix, queue: name, lock_ms, connect_timeout_ms }: Settings<typeof settings>,
  deps: JobQueueDeps,
): JobQueue {
  const stopping = new AbortController();
  const queue = new Queue<JobNotice>(name, { connection: redis, prefix });
  // Without a listener, the event would end the process; callers learn of failures from their calls.
  queue.on('error', () => {});
  let relay: Relay | undefined;
  let worker: InstanceType<typeof Worker<JobNotice>> | undefined;

  const consume = (to: QueueWorker) => {
    const process = async (jobId: string) => {
      const accepted = await offerUntilAnswered(to, jobId, stopping.signal, deps.log);
      if (accepted === 'unknown') {
        deps.log.error({ event: 'job_message_dead', job_id: jobId }, 'message of no job');
        throw new UnrecoverableError('there is no such job');
      }
      if (accepted !== 'none') await accepted.done;
    };
    worker = new Worker<JobNotice>(name, (message) => process(message.data.jobId ?? ''), {
      connection: redis,
      prefix,
      concurrency: to.maxRunningJobs,
      lockDuration: lock_ms,
      stalledInterval: lock_ms,
      maxStalledCount: stalledMax,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: deadLettersMax },
    });
    worker.on('error', (error) => {
      deps.log.debug({ event: 'bullmq_worker_failed', err: error }, 'bullmq worker failed');
    });
  };

  return {
    start(to) {
      consume(to);
      relay = startRelay(deps, (notices) =>
        // The id of a message is that of its job: while the message is there, it is not added twice.
        queue.addBulk(
          notices.map((notice) => ({
            name: 'job',
            data: notice,
            opts: { jobId: notice.jobId, priority: notice.isUrgent ? priorities.urgent : priorities.other },
          })),
        ),
      );
    },
    wake: () => relay?.wake(),
    async backlog(signal) {
      try {
        const read = () => queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
        const counts = await within(read, { timeoutMs: connect_timeout_ms, signals: [signal] });
        return new Map([[name, Object.values(counts).reduce((sum, count) => sum + count, 0)]]);
      } catch (error) {
        deps.log.debug({ event: 'bullmq_backlog_unknown', err: error }, 'bullmq backlog unknown');
        return new Map();
      }
    },
    async stop() {
      stopping.abort();
      await relay?.stop();
      await worker?.pause(true);
    },
    async close() {
      for (const part of [worker, queue]) {
        await within(async () => part?.close(), { timeoutMs: closeTimeoutMs }).catch(() => {});
      }
      redis.disconnect();
    },
  };
}

async function load(path: string): Promise<Bullmq> {
  return await import('bullmq').catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const advice = 'npm install --no-save --save-prod --omit=dev bullmq';
    throw new ConfigError(`${path}.adapter`, `needs the package "bullmq": ${advice}`);
  });
}

/** Sends jobs over a queue of BullMQ on Redis. */
export const adapter = defineAdapter({
  settings,
  async create(given, deps: JobQueueDeps) {
    const bullmq = await load(deps.path);
    return createQueue(bullmq, await openLibraryRedis(given), given, deps);
  },
});
