import { describe, vi } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { keywordStoreSuite } from '../../suites/keyword-store.suite.ts';
import { keywordLeakSuite } from '../../suites/leak.suite.ts';
import {
  hasOpensearch,
  opensearchAdvice,
  startOpensearch,
  type TestOpensearch,
} from '../../suites/opensearch-server.suite.ts';
import { openOn } from '../../suites/store-server.suite.ts';
import { adapter } from './elasticsearch.ts';

// A server that is killed takes its time to return.
vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasOpensearch && skipped('opensearch', 28, opensearchAdvice))('on a real OpenSearch', () => {
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
    };
    return openOn(server, adapter, settings);
  };
  keywordStoreSuite('elasticsearch', open, { server: () => server });
  keywordLeakSuite('elasticsearch', open);
});
