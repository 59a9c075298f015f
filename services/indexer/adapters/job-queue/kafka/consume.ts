import type { Message } from '@platformatic/kafka';
import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import { within } from '#kit/base/within.ts';
import type { QueueWorker } from '../../../jobs/job-queue.ts';
import { fromMessage, offerUntilAnswered } from '../../../jobs/messages.ts';
import { startCommitter } from './committer.ts';
import { createOffsets } from './offsets.ts';
import type { ClientOptions, Kafka, KafkaSettings } from './settings.ts';

type Received = Message<string, string, string, string>;

/** Dependencies of a consumer. */
export interface ConsumeDeps {
  kafka: Kafka;
  options: ClientOptions;
  settings: KafkaSettings;
  worker: QueueWorker;
  /** Creates missing topics. */
  ensureTopics(): Promise<void>;
  /** Sends a message that no worker can use to the topic for such messages. */
  sendDeadLetter(message: Received, reason: string): Promise<void>;
  /** Ends the consumption; messages that a worker has accepted are finished first. */
  stopping: AbortSignal;
  log: Logger;
}

/** Bounds of the backoff between two attempts to consume, in milliseconds. */
const backoffMs = { first: 500, longest: 5000 };
const closeTimeoutMs = 10_000;

/** Consumes messages until `stopping` aborts. A lost connection is opened again. */
export async function consume(deps: ConsumeDeps): Promise<void> {
  const { stopping, log } = deps;
  let delayMs = backoffMs.first;
  while (!stopping.aborted) {
    const startMs = performance.now();
    await consumeOnce(deps).catch((error: unknown) => {
      if (!stopping.aborted) log.warn({ event: 'kafka_consumer_retry', err: error }, 'kafka consumer lost, retrying');
    });
    delayMs = performance.now() - startMs > 30_000 ? backoffMs.first : Math.min(backoffMs.longest, delayMs * 2);
    await sleep(delayMs, stopping).catch(() => {});
  }
}

/** Consumes messages with one consumer, until it is lost or `stopping` aborts. */
async function consumeOnce(deps: ConsumeDeps): Promise<void> {
  const { kafka, settings, worker, stopping } = deps;
  await deps.ensureTopics();
  const consumer = new kafka.Consumer({
    ...deps.options,
    groupId: settings.group,
    sessionTimeout: settings.session_timeout_ms,
    rebalanceTimeout: settings.session_timeout_ms * 2,
    heartbeatInterval: Math.floor(settings.session_timeout_ms / 4),
    deserializers: kafka.stringDeserializers,
  });
  // Without a listener, the event would end the process; the loss of the stream reports it as well.
  consumer.on('error', () => {});
  const running = new Set<Promise<void>>();
  const committer = startCommitter(consumer, settings.topic, deps.log);
  const offsets = createOffsets();
  const stopped = new Promise<void>((resolve) => {
    if (stopping.aborted) resolve();
    stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    const stream = await consumer.consume({
      topics: [settings.topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      autocommit: false,
      maxWaitTime: 500,
      highWaterMark: 16,
    });
    stopping.addEventListener('abort', () => stream.destroy(), { once: true });
    if (stopping.aborted) return;
    for await (const message of stream as AsyncIterable<Received>) {
      offsets.begin(message.partition, message.offset);
      const run = handle(message, deps)
        .then(() => {
          const next = offsets.end(message.partition, message.offset);
          if (next !== undefined) committer.note(message.partition, next, message.leaderEpoch);
        })
        .catch(() => {})
        .finally(() => running.delete(run));
      running.add(run);
      while (running.size >= worker.maxRunningJobs && !stopping.aborted) await Promise.race([...running, stopped]);
      if (stopping.aborted) return;
    }
  } finally {
    // The group waits for accepted jobs, because their messages can be committed only by a member.
    await Promise.all(running);
    await committer.close();
    await within(() => consumer.close(true), { timeoutMs: closeTimeoutMs }).catch(() => {});
  }
}

/** Offers the job of a message to the worker, and waits for the end of its attempt. Rejects if the message must be delivered again. */
async function handle(message: Received, { worker, sendDeadLetter, stopping, log }: ConsumeDeps): Promise<void> {
  const notice = fromMessage(message.value);
  const accepted = notice === undefined ? 'unknown' : await offerUntilAnswered(worker, notice.jobId, stopping, log);
  if (accepted === 'none') return;
  if (accepted !== 'unknown') return accepted.done;
  const reason = notice === undefined ? 'the message is not readable' : 'there is no such job';
  log.error(
    { event: 'job_message_dead', reason, partition: message.partition, offset: String(message.offset) },
    'message of no job',
  );
  for (;;) {
    try {
      return await sendDeadLetter(message, reason);
    } catch (error) {
      log.warn({ event: 'job_message_retry', err: error }, 'dead letter not sent, retrying');
      await sleep(backoffMs.longest, stopping);
    }
  }
}
