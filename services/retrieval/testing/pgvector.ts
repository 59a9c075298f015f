import { existsSync, readdirSync } from 'node:fs';
import { hasPostgres } from '#kit/testing/postgres.ts';

const root = '/usr/share/postgresql';

/** Whether the PostgreSQL of this machine has pgvector. */
export const hasPgvector =
  hasPostgres &&
  existsSync(root) &&
  readdirSync(root).some((version) => existsSync(`${root}/${version}/extension/vector.control`));

/** What to do if it has none. */
export const pgvectorAdvice = '.ci/pgvector builds it from the sources of a newer Debian';
