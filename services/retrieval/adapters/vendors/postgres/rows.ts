import type { PostgresConnection } from '#kit/storage/postgres/pool.ts';
import { type Change, forever, type IndexRow } from '../../../stores/index-row.ts';
import {
  attributeTerms,
  type ChangeStep,
  changedColumn,
  changeSteps,
  chunksOf,
  columnNames,
} from '../../../stores/remote/rows.ts';
import { createValues, rowCondition, tenantId, versionRows } from './conditions.ts';
import { type StoreConnection, storeSchema } from './connection.ts';

// The rows of both stores: a table for all tenants, with the tenant first in every key.

/** Most rows of one INSERT: to make one of more would hold the event loop for too long. */
const maxInsertRows = 250;
/** Most bytes of one INSERT, about. */
const maxInsertBytes = 16 * 1024 * 1024;

/** Returns the SQL that creates the table of a store's rows, with more columns. */
export function rowTableSql(table: string, moreColumns: string): string {
  // What every scan reads comes first, and what has a fixed size before the rest: PostgreSQL then finds it without reading the row.
  return `
CREATE TABLE ${table} (
  tenant uuid NOT NULL,
  key bigint NOT NULL,
  added_in bigint NOT NULL,
  removed_in bigint NOT NULL,
  corpus_id integer NOT NULL,
  acl_id integer NOT NULL,
  language integer NOT NULL,
  ${moreColumns},
  updated_ms bigint,
  document_id text COLLATE "C" NOT NULL,
  chunk_id text COLLATE "C" NOT NULL,
  attributes uuid[] NOT NULL,
  PRIMARY KEY (tenant, corpus_id, key)
);
CREATE INDEX ${table}_document ON ${table} (tenant, corpus_id, document_id);
`;
}

/** A store's own part of the rows. */
export interface RowTable<R extends IndexRow> {
  /** Name of the table in the schema. */
  name: string;
  /** Returns the approximate bytes of a row. */
  sizeOf(row: R): number;
  /** Writes rows. `columns` inserts the shared columns, and more that it is given; a row that exists stays as it is. */
  insert(connection: PostgresConnection, batch: RowBatch<R>): Promise<void>;
}

/** Rows to insert. */
export interface RowBatch<R extends IndexRow> {
  tenant: string;
  corpusId: number;
  rows: readonly R[];
  /** Returns an INSERT of the shared columns and of more of them: by name, an array of SQL type and values for each. */
  insertSql(more: readonly ColumnValues[]): { sql: string; values: unknown[] };
}

/** The values of a column, one for each row. */
export interface ColumnValues {
  name: string;
  /** SQL type of the array that is bound: "bigint". */
  type: string;
  /** An array, or what PostgreSQL reads as one. */
  list: unknown;
  /** Returns the value from the bound one. @default the bound one itself */
  read?(bound: string): string;
}

/** Returns the table's full name. */
export function fullName(table: string): string {
  return `${storeSchema}.${table}`;
}

/** Applies a change in one transaction. */
export async function applyChange<R extends IndexRow>(
  { write }: StoreConnection,
  tenant: string,
  corpusId: number,
  change: Change<R>,
  table: RowTable<R>,
): Promise<void> {
  const steps = changeSteps(corpusId, change);
  if (steps.length === 0) return;
  await write(async (connection) => {
    for (const step of steps) await applyStep(connection, tenant, corpusId, step, table);
  });
}

async function applyStep<R extends IndexRow>(
  connection: PostgresConnection,
  tenant: string,
  corpusId: number,
  step: ChangeStep<R>,
  table: RowTable<R>,
): Promise<void> {
  if (step.kind === 'insert') {
    for (const rows of chunksOf(step.rows, maxInsertRows, maxInsertBytes, table.sizeOf)) {
      const insertSql = (more: readonly ColumnValues[]) =>
        insertStatement(table.name, tenant, corpusId, step.version, rows, more);
      await table.insert(connection, { tenant, corpusId, rows, insertSql });
    }
    return;
  }
  const values = createValues();
  const where = rowCondition(values, tenant, step.where);
  if (step.kind === 'delete') {
    await connection.query(`DELETE FROM ${fullName(table.name)} WHERE ${where}`, values.list);
    return;
  }
  const [column, value] = changedColumn(step.field, columnNames);
  const set = `${column} = ${values.bind(value, 'bigint')}`;
  await connection.query(`UPDATE ${fullName(table.name)} SET ${set} WHERE ${where}`, values.list);
}

// One statement for all rows, each column as an array. A row that another attempt of the same change has written meanwhile stays.
function insertStatement(
  table: string,
  tenant: string,
  corpusId: number,
  version: number,
  rows: readonly IndexRow[],
  more: readonly ColumnValues[],
): { sql: string; values: unknown[] } {
  const values = createValues();
  const fixed = [
    ['tenant', values.bind(tenantId(tenant), 'uuid')],
    ['corpus_id', values.bind(corpusId, 'integer')],
    ['added_in', values.bind(version, 'bigint')],
    ['removed_in', values.bind(forever, 'bigint')],
  ] as const;
  const columns: readonly ColumnValues[] = [
    { name: 'key', type: 'bigint', list: rows.map(({ key }) => key) },
    { name: 'updated_ms', type: 'bigint', list: rows.map(({ updatedMs }) => updatedMs ?? null) },
    { name: 'acl_id', type: 'integer', list: rows.map(({ aclId }) => aclId) },
    { name: 'language', type: 'integer', list: rows.map(({ language }) => language) },
    { name: 'document_id', type: 'text', list: rows.map(({ documentId }) => documentId) },
    { name: 'chunk_id', type: 'text', list: rows.map(({ chunkId }) => chunkId) },
    {
      name: 'attributes',
      type: 'text',
      // An array of arrays has to be a rectangle.
      list: rows.map((row) => `{${attributeTerms(row)}}`),
      read: (bound) => `${bound}::uuid[]`,
    },
    ...more,
  ];
  const arrays = columns.map(({ list, type }) => values.bind(list, `${type}[]`));
  const read = columns.map(({ read: readValue = (bound) => bound }, index) => readValue(`c${index}`));
  const names = [...fixed, ...columns.map(({ name }) => [name] as const)].map(([name]) => name);
  return {
    sql: `INSERT INTO ${fullName(table)} (${names}) SELECT ${[...fixed.map(([, value]) => value), ...read]}
      FROM unnest(${arrays}) AS given(${columns.map((_, index) => `c${index}`)}) ON CONFLICT DO NOTHING`,
    values: values.list,
  };
}

/** Returns the number of rows of a version. */
export async function countRows(
  { read }: StoreConnection,
  table: string,
  { tenant, corpusId, version }: { tenant: string; corpusId: number; version: number },
  signal: AbortSignal,
): Promise<number> {
  const values = createValues();
  const sql = `SELECT count(*) AS count FROM ${fullName(table)} WHERE ${versionRows(values, tenant, corpusId, version)}`;
  const [row] = await read((connection) => connection.query<{ count: number }>(sql, values.list), signal);
  return row?.count ?? 0;
}

/** Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. */
export async function listRowKeys(
  { read }: StoreConnection,
  table: string,
  { tenant, corpusId, after, limit }: { tenant: string; corpusId: number; after: number; limit: number },
  signal: AbortSignal,
): Promise<number[]> {
  const sql = `SELECT key FROM ${fullName(table)} WHERE tenant = $1::uuid AND corpus_id = $2::integer AND key > $3::bigint
    ORDER BY key LIMIT $4::integer`;
  const values = [tenantId(tenant), corpusId, after, limit];
  const rows = await read((connection) => connection.query<{ key: number }>(sql, values), signal);
  return rows.map(({ key }) => key);
}
