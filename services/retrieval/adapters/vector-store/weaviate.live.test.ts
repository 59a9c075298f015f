import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { vectorLeakSuite } from '../../suites/leak.suite.ts';
import { openOn } from '../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../suites/vector-store.suite.ts';
import { hasWeaviate, startWeaviate, type TestWeaviate, weaviateAdvice } from '../../suites/weaviate-server.suite.ts';
import { adapter } from './weaviate.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasWeaviate && skipped('weaviate', 24, weaviateAdvice))('on a real Weaviate', () => {
  let server: TestWeaviate;
  const open = async () => {
    server = await startWeaviate();
    const settings = {
      url: server.url,
      grpc_url: server.grpcUrl,
      api_key: '',
      prefix: 'Ragmesh',
      replicas: 1,
      timeout_ms: 10_000,
      write_timeout_ms: 60_000,
      index_type: 'flat',
      exact_rows: 40_000,
    };
    return openOn(server, adapter, settings);
  };
  vectorStoreSuite('weaviate', open, { server: () => server });
  vectorLeakSuite('weaviate', open);
});
