import { afterAll, describe } from 'vitest';
import { useDatabases } from './mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from './postgres.ts';
import { skipped } from './server.ts';

/**
 * Runs the tests of `load`, which test an embedded installation, over PostgreSQL: their test meshes keep records in a database for each
 * data folder. `testCount` is for the line that says that they are skipped.
 */
export async function onPostgres(testCount: number, load: (server: TestPostgres) => Promise<unknown>): Promise<void> {
  if (!hasPostgres && skipped('postgres', testCount, postgresAdvice)) {
    describe.skip('on PostgreSQL', () => {});
    return;
  }
  const server = await startPostgres();
  const databases = new Map<string, Promise<string>>();
  useDatabases((dataDir) => {
    const known = databases.get(dataDir) ?? server.createDatabase();
    databases.set(dataDir, known);
    return known;
  });
  afterAll(() => server[Symbol.asyncDispose]());
  await load(server);
}
