import { afterAll, beforeAll, describe } from 'vitest';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { accessVersionSuite } from '../suites/access-versions.suite.ts';
import { concurrencySuite } from '../suites/concurrency.suite.ts';
import { crashSuite } from '../suites/crash.suite.ts';
import { trialSuite } from '../suites/trials.suite.ts';
import { versionSuite } from '../suites/versions.suite.ts';
import { openingOn, startingOn, startingPairOn } from '../testing/postgres.ts';

// The suites of the index with the catalog in PostgreSQL.

describe.skipIf(!hasPostgres && skipped('postgres', 70, postgresAdvice))('over a catalog in PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const start = startingOn(() => server);

  describe('versions', () => versionSuite(start));
  describe('concurrency', () => concurrencySuite(start));
  describe('access lists', () => accessVersionSuite(start));
  describe('trials', () => trialSuite(start));
  const startPair = startingPairOn(() => server);
  describe('two replicas: versions', () => versionSuite(startPair));
  describe('two replicas: concurrency', () => concurrencySuite(startPair, { hasReplicas: true }));
  describe('two replicas: trials', () => trialSuite(startPair, { hasReplicas: true }));
  describe('two replicas: access lists', () => accessVersionSuite(startPair));
  describe('interruptions', () => crashSuite(openingOn(() => server)));
});
