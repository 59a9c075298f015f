import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { TestMesh } from '#kit/testing/mesh.ts';
import { connectTo } from '#kit/testing/postgres.ts';

/** The tables of a running audit service, for someone with write access to its database. */
export interface Tables {
  all(sql: string): Promise<Record<string, SQLInputValue>[]>;
  /** Runs a statement with `?` for its parameters; returns the number of rows that it changed. */
  run(sql: string, ...params: SQLInputValue[]): Promise<number>;
  close(): Promise<void>;
}

/** Opens the tables, whatever the engine. */
export async function openTables({ dataDir, database }: TestMesh): Promise<Tables> {
  if (database === undefined) {
    const file = new DatabaseSync(join(dataDir, 'audit', 'audit.db'));
    return {
      all: async (sql) => file.prepare(sql).all() as Record<string, SQLInputValue>[],
      run: async (sql, ...params) => Number(file.prepare(sql).run(...params).changes),
      close: async () => file.close(),
    };
  }
  const client = await connectTo(database, 'ragmesh_audit');
  return {
    all: async (sql) => (await client.query(sql)).rows,
    async run(sql, ...params) {
      let index = 0;
      return (
        (
          await client.query(
            sql.replaceAll('?', () => `$${++index}`),
            params,
          )
        ).rowCount ?? 0
      );
    },
    close: () => client.end(),
  };
}
