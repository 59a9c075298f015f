import { LRUCache } from 'lru-cache';
import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import type { TenantFiles } from '../../../sqlite/tenant-files.ts';
import type { VectorSpace } from '../../../stores/vector-store.ts';

// vec0 cannot update a row of a table with a partition key, and keeps the place of a deleted row until its whole block is free. So each
// corpus and space has a table of its own, and compact() removes the gaps.

/** A table of the vectors of one corpus and space. */
export interface VectorTable extends VectorSpace {
  name: string;
  corpusId: number;
}

/** The tables of vectors of each tenant. */
export interface VectorTables {
  list(tenant: string): Promise<VectorTable[]>;
  create(tenant: string, corpusId: number, space: VectorSpace): Promise<VectorTable>;
  /** Drops tables. */
  drop(tenant: string, unused: readonly VectorTable[]): Promise<void>;
  /** Writes a table again if too many of its places are free. */
  compact(tenant: string, table: VectorTable): Promise<void>;
}

/**
 * Bytes of vectors that vec0 keeps as one block. SQLite walks from page to page of a block to read one vector of it: of 256 dimensions, 166 µs in a
 * block of 1 MiB and 14 µs in one of 32 KiB, while an exact search of 100,000 takes 44 and 63 ms. Memory answers most searches, and reads single vectors.
 */
const blockBytes = 32 * 1024;

/** A table is compacted if more than this share of its places is free. */
const maxFreeShare = 0.5;

const notAborted = new AbortController().signal;

/** Returns the table of a corpus and space; `undefined` if it does not exist. */
export function findTable(tables: readonly VectorTable[], corpusId: number, { model, dimensions }: VectorSpace) {
  return tables.find(
    (table) => table.corpusId === corpusId && table.model === model && table.dimensions === dimensions,
  );
}

/** Returns the query that has a row if the table has one. */
export function anyRow({ name }: VectorTable): Statement {
  return { sql: `SELECT 1 FROM ${name}_rowids LIMIT 1`, params: [] };
}

/** Creates the tables over the tenants' files. Only this process may change them: it keeps the list in memory. */
export function createVectorTables(files: TenantFiles): VectorTables {
  const known = new LRUCache<string, Promise<VectorTable[]>>({ max: 1000 });
  const list = (tenant: string): Promise<VectorTable[]> => {
    let tables = known.get(tenant);
    if (tables === undefined) {
      tables = readTables(files, tenant);
      known.set(tenant, tables);
      tables.catch(() => known.delete(tenant));
    }
    return tables;
  };
  return {
    list,
    async create(tenant, corpusId, { model, dimensions }) {
      const [row] = await files.read(tenant, { sql: 'SELECT max(id) AS id FROM space', params: [] }, notAborted);
      const id = Number(row?.id ?? 0) + 1;
      const rowsInBlock = Math.min(1024, Math.max(8, Math.floor(blockBytes / (dimensions * 4) / 8) * 8));
      await files.write(tenant, [
        {
          sql: `CREATE VIRTUAL TABLE vector_${id} USING vec0(acl_id INTEGER, added_in INTEGER, removed_in INTEGER,
            embedding FLOAT[${dimensions}], chunk_size=${rowsInBlock})`,
          params: [],
        },
        { sql: 'INSERT INTO space VALUES (?, ?, ?, ?)', params: [id, corpusId, model, dimensions] },
      ]);
      const table = { name: `vector_${id}`, corpusId, model, dimensions };
      (await list(tenant)).push(table);
      return table;
    },
    async drop(tenant, unused) {
      for (const table of unused) {
        await files.write(tenant, [
          { sql: `DROP TABLE ${table.name}`, params: [] },
          { sql: 'DELETE FROM space WHERE id = ?', params: [Number(table.name.slice('vector_'.length))] },
        ]);
        const tables = await list(tenant);
        tables.splice(tables.indexOf(table), 1);
      }
    },
    async compact(tenant, { name }) {
      const used = `SELECT count(*) FROM ${name}_rowids`;
      const sql = `SELECT (${used}) AS used, (SELECT sum(size) FROM ${name}_chunks) AS size`;
      const [row] = await files.read(tenant, { sql, params: [] }, notAborted);
      if (Number(row?.used) >= Number(row?.size) * (1 - maxFreeShare)) return;
      const columns = 'rowid, acl_id, added_in, removed_in, embedding';
      const statements = [
        `CREATE TEMP TABLE kept AS SELECT ${columns} FROM ${name}`,
        `DELETE FROM ${name}`,
        `INSERT INTO ${name} (${columns}) SELECT * FROM kept`,
        'DROP TABLE kept',
      ];
      await files.write(
        tenant,
        statements.map((statement) => ({ sql: statement, params: [] })),
      );
    },
  };
}

async function readTables(files: TenantFiles, tenant: string): Promise<VectorTable[]> {
  const rows = await files.read(tenant, { sql: 'SELECT * FROM space', params: [] }, notAborted);
  return rows.map((row) => ({
    name: `vector_${row.id}`,
    corpusId: row.corpus_id as number,
    model: row.model as string,
    dimensions: row.dimensions as number,
  }));
}
