import { Queue } from 'bullmq';
import { describe } from 'vitest';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { brokerSuite, jobQueueSuite } from '../../suites/job-queue.suite.ts';

const create = async () => {
  let server = await startRedis();
  const { port } = server;
  const using = async <T>(work: (queue: Queue) => Promise<T>): Promise<T> => {
    const queue = new Queue('index-jobs', { connection: { host: '127.0.0.1', port }, prefix: '{ragmesh}' });
    return work(queue).finally(() => queue.close());
  };
  return {
    adapter: 'bullmq',
    settings: { url: `redis://127.0.0.1:${port}`, lock_ms: 2000 },
    broker: {
      topic: 'index-jobs',
      kill: () => server.kill(),
      async restart() {
        server = await startRedis(port);
      },
      send: async (text: string) => {
        const data = text.startsWith('{') ? { jobId: JSON.parse(text).job_id as string } : text;
        await using((queue) => queue.add('job', data));
      },
      deadLetters: () => using(async (queue) => (await queue.getFailed()).map(({ data }) => JSON.stringify(data))),
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

describe.skipIf(!hasRedis && skipped('redis', 9, redisAdvice))('a real Redis', () => {
  jobQueueSuite('bullmq', create);
  brokerSuite('bullmq', create);
});
