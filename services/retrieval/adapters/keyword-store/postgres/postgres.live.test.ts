import { describe, vi } from 'vitest';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { keywordStoreSuite } from '../../../suites/keyword-store.suite.ts';
import { keywordLeakSuite } from '../../../suites/leak.suite.ts';
import { openOn, settingsOf } from '../../../suites/store-server.suite.ts';
import { adapter } from './index.ts';

vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasPostgres && skipped('postgres', 29, postgresAdvice))('on a real PostgreSQL', () => {
  let server: TestPostgres;
  const open = async () => {
    server = await startPostgres({ isDurable: true });
    return openOn(server, adapter, settingsOf(adapter, { url: await server.createDatabase() }));
  };
  keywordStoreSuite('postgres', open, { server: () => server });
  keywordLeakSuite('postgres', open);
});
