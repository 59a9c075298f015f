import type { Message } from '@platformatic/kafka';
import { within } from '#kit/base/within.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { JobQueue, JobQueueDeps } from '../../../jobs/job-queue.ts';
import { type Relay, startRelay, toMessage } from '../../../jobs/messages.ts';
import { readBacklog } from './backlog.ts';
import { consume } from './consume.ts';
import {
  type ClientOptions,
  clientOptions,
  deadLettersOf,
  type Kafka,
  type KafkaSettings,
  kafkaSettings,
  loadKafka,
} from './settings.ts';

/** TOPIC_ALREADY_EXISTS. */
const topicExists = 36;
const closeTimeoutMs = 5000;

function createQueue(kafka: Kafka, options: ClientOptions, settings: KafkaSettings, deps: JobQueueDeps): JobQueue {
  const { topic } = settings;
  const stopping = new AbortController();
  const producer = new kafka.Producer({
    ...options,
    serializers: kafka.stringSerializers,
    acks: kafka.ProduceAcks.ALL,
  });
  const admin = new kafka.Admin(options);
  // Without a listener, the event would end the process; callers learn of failures from their calls.
  for (const client of [producer, admin]) client.on('error', () => {});
  let relay: Relay | undefined;
  let consuming: Promise<void> | undefined;
  let areTopicsKnown = !settings.create_topics;

  const ensureTopics = async () => {
    if (areTopicsKnown) return;
    for (const name of [topic, deadLettersOf(topic)]) {
      try {
        const { partitions, replication_factor: replicas } = settings;
        await admin.createTopics({ topics: [name], partitions, replicas });
      } catch (error) {
        if (!isTopicKnown(kafka, error)) throw error;
      }
    }
    areTopicsKnown = true;
  };

  return {
    start(worker) {
      relay = startRelay(deps, async (notices) => {
        await ensureTopics();
        // One key for each corpus: its messages are in one partition, in order.
        const toKey = (tenant: string, corpus: string) => JSON.stringify([tenant, corpus]);
        const messages = notices.map((one) => ({ topic, key: toKey(one.tenant, one.corpus), value: toMessage(one) }));
        await producer.send({ messages });
      });
      consuming = consume({
        kafka,
        options,
        settings,
        worker,
        ensureTopics,
        async sendDeadLetter({ key, value, partition, offset }: Message<string, string, string, string>, reason) {
          const headers = { reason, topic, partition: String(partition), offset: String(offset) };
          await producer.send({ messages: [{ topic: deadLettersOf(topic), key, value, headers }] });
        },
        stopping: stopping.signal,
        log: deps.log,
      });
    },
    wake: () => relay?.wake(),
    backlog: (signal) =>
      within(() => readBacklog(admin, settings), { timeoutMs: settings.timeout_ms, signals: [signal] }).catch(
        (error) => {
          deps.log.debug({ event: 'kafka_lag_unknown', err: error }, 'kafka lag unknown');
          return new Map();
        },
      ),
    async stop() {
      stopping.abort();
      await relay?.stop();
    },
    async close() {
      await consuming;
      for (const client of [producer, admin]) {
        await within(() => client.close(), { timeoutMs: closeTimeoutMs }).catch(() => {});
      }
    },
  };
}

function isTopicKnown(kafka: Kafka, error: unknown): boolean {
  return error instanceof Error && kafka.findErrorBy(error, 'apiCode', topicExists) !== null;
}

/** Sends jobs over a topic of Kafka to a consumer group. */
export const adapter = defineAdapter({
  settings: kafkaSettings,
  async create(settings, deps: JobQueueDeps) {
    const options = await clientOptions(settings, deps.path);
    return createQueue(await loadKafka(deps.path), options, settings, deps);
  },
});
