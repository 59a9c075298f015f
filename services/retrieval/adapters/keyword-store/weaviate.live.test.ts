import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { keywordStoreSuite } from '../../suites/keyword-store.suite.ts';
import { keywordLeakSuite } from '../../suites/leak.suite.ts';
import { openOn } from '../../suites/store-server.suite.ts';
import { hasWeaviate, startWeaviate, type TestWeaviate, weaviateAdvice } from '../../suites/weaviate-server.suite.ts';
import { adapter } from './weaviate.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasWeaviate && skipped('weaviate', 28, weaviateAdvice))('on a real Weaviate', () => {
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
    };
    return openOn(server, adapter, settings);
  };
  keywordStoreSuite('weaviate', open, { server: () => server });
  keywordLeakSuite('weaviate', open);
});
