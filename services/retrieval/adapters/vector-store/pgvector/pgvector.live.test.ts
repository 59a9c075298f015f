import { describe, vi } from 'vitest';
import { startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { vectorLeakSuite } from '../../../suites/leak.suite.ts';
import { openOn, settingsOf } from '../../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../../suites/vector-store.suite.ts';
import { hasPgvector, pgvectorAdvice } from '../../../testing/pgvector.ts';
import { adapter } from './index.ts';

vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasPgvector && skipped('pgvector', 25, pgvectorAdvice))('on a real PostgreSQL', () => {
  let server: TestPostgres;
  const open = async () => {
    server = await startPostgres({ isDurable: true });
    return openOn(server, adapter, settingsOf(adapter, { url: await server.createDatabase() }));
  };
  vectorStoreSuite('pgvector', open, { server: () => server });
  vectorLeakSuite('pgvector', open);
});
