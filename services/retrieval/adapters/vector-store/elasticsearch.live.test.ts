import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { vectorLeakSuite } from '../../suites/leak.suite.ts';
import {
  hasOpensearch,
  opensearchAdvice,
  startOpensearch,
  type TestOpensearch,
} from '../../suites/opensearch-server.suite.ts';
import { openOn } from '../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../suites/vector-store.suite.ts';
import { adapter } from './elasticsearch.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasOpensearch && skipped('opensearch', 24, opensearchAdvice))('on a real OpenSearch', () => {
  let server: TestOpensearch;
  const open = async () => {
    server = await startOpensearch();
    const settings = {
      url: server.url,
      api_key: '',
      username: '',
      password: '',
      prefix: 'ragmesh',
      shards: 2,
      replicas: 0,
      timeout_ms: 10_000,
      write_timeout_ms: 60_000,
      exact_rows: 1_000_000,
      index_type: 'hnsw',
    };
    return openOn(server, adapter, settings);
  };
  vectorStoreSuite('elasticsearch', open, { server: () => server });
  vectorLeakSuite('elasticsearch', open);
});
