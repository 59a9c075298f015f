import { ConfigError } from '#kit/base/config-error.ts';
import type { PostgresPool } from '#kit/storage/postgres/pool.ts';
import { rowTableSql } from '../../vendors/postgres/rows.ts';

/** The table of the rows. */
export const vectorTable = 'vector_row';

// A vector is in its row and not beside it, because a scan then reads it without a second look-up. The space left in each page takes the
// new version of a row whose `removed_in` or `acl_id` changes, so that no index has to be changed.
export const vectorMigrations: readonly string[] = [
  `${rowTableSql(vectorTable, 'space uuid, embedding vector')}
ALTER TABLE ${vectorTable} SET (toast_tuple_target = 8160, fillfactor = 85);
`,
];

/** The oldest version that can be used: before it, a graph loses rows under a condition. */
const oldestVersion = [0, 8];

/** Makes pgvector usable, or throws ConfigError with what to do. `path`: of the adapter in the configuration. */
export async function prepareExtension(pool: PostgresPool, path: string): Promise<void> {
  const find = () =>
    pool.query<{ extversion: string; nspname: string }>(
      `SELECT extversion, nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'`,
    );
  let [found] = await find();
  if (found === undefined) {
    const [offered] = await pool.query(`SELECT 1 FROM pg_available_extensions WHERE name = 'vector'`);
    if (offered === undefined) throw new ConfigError(path, 'PostgreSQL lacks pgvector: install version 0.8 or later');
    // Another replica may do the same, or only an administrator may.
    const failure = await pool.query('CREATE EXTENSION IF NOT EXISTS vector SCHEMA public').then(
      () => undefined,
      (error: unknown) => error,
    );
    [found] = await find();
    if (found === undefined) {
      const advice = 'pgvector is not in the database: have an administrator run CREATE EXTENSION vector SCHEMA public';
      throw Object.assign(new ConfigError(path, advice), { cause: failure });
    }
  }
  if (found.nspname !== 'public') {
    throw new ConfigError(path, `pgvector must be in the schema public, not in ${found.nspname}`);
  }
  const version = found.extversion.split('.').map(Number);
  const isOld = (version[0] ?? 0) === oldestVersion[0] && (version[1] ?? 0) < (oldestVersion[1] as number);
  if (isOld) throw new ConfigError(path, `pgvector ${found.extversion} is too old: version 0.8 or later is needed`);
}
