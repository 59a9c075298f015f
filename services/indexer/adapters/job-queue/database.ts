import { sleep } from '#kit/base/streams.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { JobQueue, JobQueueDeps, QueueWorker } from '../../jobs/job-queue.ts';

/** Interval of looking at the records, for jobs of other replicas and for retries that become due. */
const pollMs = 500;

function createQueue({ log }: JobQueueDeps): JobQueue {
  const stopping = new AbortController();
  let looping: Promise<void> | undefined;
  let wakeUp = () => {};
  let isWoken = false;

  const wake = () => {
    isWoken = true;
    wakeUp();
  };
  const pause = async () => {
    if (!isWoken && !stopping.signal.aborted) {
      const woken = new AbortController();
      wakeUp = () => woken.abort();
      await sleep(pollMs, AbortSignal.any([woken.signal, stopping.signal])).catch(() => {});
    }
    isWoken = false;
  };
  const loop = async ({ maxRunningJobs, offer }: QueueWorker) => {
    let runningCount = 0;
    while (!stopping.signal.aborted) {
      try {
        while (runningCount < maxRunningJobs && !stopping.signal.aborted) {
          const accepted = await offer();
          if (typeof accepted === 'string') break;
          runningCount++;
          void accepted.done.then(() => {
            runningCount--;
            wake();
          });
        }
      } catch (error) {
        if (!stopping.signal.aborted)
          log.error({ event: 'job_queue_retry', err: error }, 'job queue unreadable, retrying');
      }
      await pause();
    }
  };

  return {
    start(worker) {
      looping = loop(worker);
    },
    wake,
    backlog: async () => new Map(),
    async stop() {
      stopping.abort();
      await looping;
    },
    close: async () => {},
  };
}

/** Workers look at the records of jobs themselves: no other server is needed. */
export const adapter = defineAdapter({
  settings: {},
  create: (_settings: object, deps: JobQueueDeps) => createQueue(deps),
});
