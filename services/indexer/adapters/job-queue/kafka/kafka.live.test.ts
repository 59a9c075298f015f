import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import { afterAll, beforeAll, describe } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { brokerSuite, jobQueueSuite } from '../../../suites/job-queue.suite.ts';
import { hasKafka, kafkaAdvice, startKafka, type TestKafka } from '../../../testing/kafka.ts';

describe.skipIf(!hasKafka && skipped('kafka', 9, kafkaAdvice))('a real Kafka', () => {
  let kafka: TestKafka;
  let count = 0;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka[Symbol.asyncDispose]());

  // Each test has topics and a group of its own.
  const create = async () => {
    const topic = `jobs-${count++}`;
    const client = { clientId: 'test', bootstrapBrokers: [kafka.broker] };
    return {
      adapter: 'kafka',
      settings: {
        brokers: [kafka.broker],
        topic,
        group: `group-${topic}`,
        partitions: 6,
        session_timeout_ms: 6000,
      },
      broker: {
        topic,
        kill: kafka.kill,
        restart: kafka.restart,
        async send(value: string) {
          const producer = new Producer({ ...client, serializers: stringSerializers });
          await producer.send({ messages: [{ topic, key: 'key', value }] }).finally(() => producer.close());
        },
        async deadLetters() {
          const found: string[] = [];
          const name = `${topic}.dead-letters`;
          const admin = new Admin(client);
          const partitions = Array.from({ length: 6 }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }));
          const [ends] = await admin.listOffsets({ topics: [{ name, partitions }] }).finally(() => admin.close());
          const endCount = ends?.partitions.reduce((sum, { offset }) => sum + Number(offset), 0) ?? 0;
          if (endCount === 0) return found;
          const groupId = `reader-${count++}`;
          const consumer = new Consumer({ ...client, groupId, deserializers: stringDeserializers });
          const stream = await consumer.consume({ topics: [name], mode: 'earliest', maxWaitTime: 100 });
          for await (const { value, headers } of stream) {
            found.push(`${value} ${headers.get('reason')}`);
            if (found.length === endCount) break;
          }
          await consumer.close(true);
          return found;
        },
      },
      [Symbol.asyncDispose]: async () => {},
    };
  };

  jobQueueSuite('kafka', create);
  brokerSuite('kafka', create);
});
