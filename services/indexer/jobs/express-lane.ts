import type { Logger } from '#kit/base/log.ts';

/** What an express lane asks and does. */
export interface ExpressDeps {
  /** Reports whether all places of the worker are taken. */
  isFull(): boolean;
  /** Takes the next urgent job and runs it; `undefined` if there is none. */
  take(): Promise<{ done: Promise<void> } | undefined>;
  /** Ends the lane; a job that it runs continues. */
  stopping: AbortSignal;
  log: Logger;
}

/** Interval of looking at the records, for jobs that other replicas have added. */
const pollMs = 500;

/**
 * One more place of a worker, for an urgent job, while its other places are taken: so an edit never waits for a bulk upload of another corpus,
 * also if the queue delivers in order (a partition of Kafka). It takes jobs from the records; their message finds them taken.
 */
export function startExpressLane({ isFull, take, stopping, log }: ExpressDeps): {
  wake(): void;
  stopped(): Promise<void>;
} {
  let isBusy = false;
  let looking: Promise<void> = Promise.resolve();
  const look = async () => {
    try {
      while (!stopping.aborted && isFull()) {
        const taken = await take();
        if (taken === undefined) return;
        await taken.done;
      }
    } catch (error) {
      // The queue reads the same records and reports that they cannot be read.
      log.debug({ event: 'express_lane_retry', err: error }, 'job records unreadable, retrying');
    } finally {
      isBusy = false;
    }
  };
  const wake = () => {
    if (isBusy || stopping.aborted || !isFull()) return;
    isBusy = true;
    looking = look();
  };
  const timer = setInterval(wake, pollMs).unref();
  stopping.addEventListener('abort', () => clearInterval(timer), { once: true });
  return { wake, stopped: () => looking };
}
