import { afterAll, beforeAll, describe } from 'vitest';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { keywordStoreSuite } from '../../../suites/keyword-store.suite.ts';
import { keywordLeakSuite, vectorLeakSuite } from '../../../suites/leak.suite.ts';
import { type RestartableServer, settingsOf, startRestartable } from '../../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../../suites/vector-store.suite.ts';
import { adapter as keywordAdapter } from '../../keyword-store/redisearch.ts';
import { adapter as vectorAdapter } from '../../vector-store/redisearch.ts';

const command = process.env.RAGMESH_TEST_REDISEARCH ?? 'redis-stack-server';
const advice = 'Redis with RediSearch; RAGMESH_TEST_REDISEARCH is its command, "redis-stack-server" by default';

describe.skipIf(!hasCommand(command) && skipped('redisearch', 52, advice))('RediSearch', () => {
  let server: RestartableServer;
  beforeAll(async () => {
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const args = (port: number, folder: string) => ['--port', String(port), '--dir', folder, '--save', '', ...durable];
    server = await startRestartable({ command, args });
  });
  afterAll(() => server.close());

  const deps = { folder: '', threads: undefined as never };
  const given = () => ({ url: `redis://127.0.0.1:${server.port}` });
  const options = { server: () => server };
  const openVectors = async () => vectorAdapter.create(settingsOf(vectorAdapter, given()), deps);
  const openKeywords = async () => keywordAdapter.create(settingsOf(keywordAdapter, given()), deps);
  vectorStoreSuite('redisearch', openVectors, options);
  keywordStoreSuite('redisearch', openKeywords, options);
  vectorLeakSuite('redisearch', openVectors);
  keywordLeakSuite('redisearch', openKeywords);
});
