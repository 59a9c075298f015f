import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { vectorLeakSuite } from '../../suites/leak.suite.ts';
import { hasMilvus, milvusAdvice, startMilvus, type TestMilvus } from '../../suites/milvus-server.suite.ts';
import { openOn } from '../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../suites/vector-store.suite.ts';
import { adapter } from './milvus.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasMilvus && skipped('milvus', 24, milvusAdvice))('on a real Milvus', () => {
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
      index_type: 'FLAT',
    };
    return openOn(server, adapter, settings);
  };
  vectorStoreSuite('milvus', open, { server: () => server });
  vectorLeakSuite('milvus', open);
});
