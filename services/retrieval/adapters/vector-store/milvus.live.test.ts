import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing-server.ts';
import { vectorLeakSuite } from '../../leak.suite.ts';
import { hasMilvus, milvusAdvice, startMilvus, type TestMilvus } from '../../milvus-server.suite.ts';
import { createSqliteThreads } from '../../sqlite-threads.ts';
import { vectorStoreSuite } from '../../vector-store.suite.ts';
import { adapter } from './milvus.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasMilvus && skipped('milvus', 24, milvusAdvice))('on a real Milvus', () => {
  let server: TestMilvus;
  const open = async () => {
    server = await startMilvus();
    const threads = createSqliteThreads(1);
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
    const store = await adapter.create(settings, { folder: '', threads });
    return {
      ...store,
      async close() {
        await store.close();
        await threads.close();
        await server[Symbol.asyncDispose]();
      },
    };
  };
  vectorStoreSuite('milvus', open, { server: () => server });
  vectorLeakSuite('milvus', open);
});
