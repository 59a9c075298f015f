import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { keywordStoreSuite } from '../../suites/keyword-store.suite.ts';
import { keywordLeakSuite } from '../../suites/leak.suite.ts';
import { hasMilvus, milvusAdvice, startMilvus, type TestMilvus } from '../../suites/milvus-server.suite.ts';
import { openOn } from '../../suites/store-server.suite.ts';
import { adapter } from './milvus.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasMilvus && skipped('milvus', 28, milvusAdvice))('on a real Milvus', () => {
  let server: TestMilvus;
  const open = async () => {
    server = await startMilvus();
    const settings = {
      url: server.url,
      token: '',
      database: '',
      prefix: 'ragmesh',
      partitions: 4,
      replicas: 1,
      timeout_ms: 10_000,
      write_timeout_ms: 60_000,
    };
    return openOn(server, adapter, settings);
  };
  keywordStoreSuite('milvus', open, { server: () => server });
  keywordLeakSuite('milvus', open);
});
