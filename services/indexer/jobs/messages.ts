import { z } from 'zod';
import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import { within } from '#kit/base/within.ts';
import type { Accepted, JobQueueDeps, QueueWorker } from './job-queue.ts';
import type { JobNotice } from './job-store.ts';

// What the queues of messages share. A message names a job; its records say what the job is.

/** Interval of looking at the records, for jobs that were added by other replicas, have become due, or were lost. */
const pollMs = 500;
/** Time after which a job that no worker has taken is sent again: the queue may have lost the message. */
const againMs = 30_000;
/** Messages of one look at the records. */
const noticesMax = 500;
const sendTimeoutMs = 10_000;
/** Time before an offer is repeated that failed because the records cannot be read. */
const offerAgainMs = 1000;

const messageSchema = z.object({
  job_id: z.string().min(1),
  tenant: z.string(),
  corpus: z.string(),
  urgent: z.boolean().default(false),
});

/** Returns the text of a message. */
export function toMessage({ jobId, tenant, corpus, isUrgent }: JobNotice): string {
  return JSON.stringify({ job_id: jobId, tenant, corpus, urgent: isUrgent } satisfies z.input<typeof messageSchema>);
}

/** Returns the job of a message; `undefined` if the text is no message. */
export function fromMessage(text: string | undefined): JobNotice | undefined {
  try {
    const { job_id: jobId, tenant, corpus, urgent: isUrgent } = messageSchema.parse(JSON.parse(text ?? ''));
    return { jobId, tenant, corpus, isUrgent };
  } catch {
    return undefined;
  }
}

/** Sends a message for each job that a worker can take. */
export interface Relay {
  wake(): void;
  stop(): Promise<void>;
}

/** Starts a relay. Every replica has one; the records give each job to one of them. */
export function startRelay(
  { notices, log }: Pick<JobQueueDeps, 'notices' | 'log'>,
  send: (notices: readonly JobNotice[]) => Promise<unknown>,
): Relay {
  const stopping = new AbortController();
  const { signal } = stopping;
  let isWoken = false;
  let wakeUp = () => {};
  const pass = async () => {
    const found = await notices.announce(againMs, noticesMax);
    if (found.length === 0) return;
    try {
      await within(() => send(found), { timeoutMs: sendTimeoutMs, signals: [signal] });
    } catch (error) {
      await notices.unannounce(found.map(({ jobId }) => jobId));
      throw error;
    }
    isWoken ||= found.length === noticesMax;
  };
  const loop = async () => {
    while (!signal.aborted) {
      await pass().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ event: 'job_message_retry', err: error }, 'jobs not sent, retrying');
      });
      if (!isWoken) {
        const woken = new AbortController();
        wakeUp = () => woken.abort();
        await sleep(pollMs, AbortSignal.any([woken.signal, signal])).catch(() => {});
      }
      isWoken = false;
    }
  };
  const looping = loop();
  return {
    wake() {
      isWoken = true;
      wakeUp();
    },
    async stop() {
      stopping.abort();
      await looping;
    },
  };
}

/** Offers a job to a worker until the worker answers. Rejects if the signal aborts first. */
export async function offerUntilAnswered(
  { offer }: QueueWorker,
  jobId: string,
  signal: AbortSignal,
  log: Logger,
): Promise<Accepted> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await offer(jobId);
    } catch (error) {
      log.error({ event: 'job_queue_retry', err: error, job_id: jobId }, 'job records unreadable, retrying');
      await sleep(offerAgainMs, signal);
    }
  }
}
