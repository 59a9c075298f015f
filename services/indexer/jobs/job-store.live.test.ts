import { afterAll, beforeAll, describe } from 'vitest';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { jobStoreSuite } from '../suites/job-store.suite.ts';
import { openPostgresJobs } from '../testing/postgres-records.ts';

describe.skipIf(!hasPostgres && skipped('postgres', 23, postgresAdvice))('a real PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  jobStoreSuite('PostgreSQL', () => {
    const closes: (() => Promise<void>)[] = [];
    let url: Promise<string> | undefined;
    return {
      replicaCount: 4,
      async open(clock) {
        url ??= server.createDatabase();
        const { jobs, close } = await openPostgresJobs(await url, clock);
        closes.push(close);
        return jobs;
      },
      async close() {
        for (const close of closes) await close();
      },
    };
  });
});
