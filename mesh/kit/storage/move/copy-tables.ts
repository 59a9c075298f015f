import type { SQLInputValue } from 'node:sqlite';
import { quoteName as quote } from '../postgres/database.ts';
import type { PostgresConnection, PostgresPool } from '../postgres/pool.ts';
import type { SqliteFile } from '../sqlite/file.ts';
import { openSqlite } from '../sqlite/open.ts';
import { readProgress, writeProgress } from './progress.ts';

// Copies the tables of a SQLite file into tables of the same names and columns in PostgreSQL. Each batch is one transaction with the
// note of how far it came, so an interrupted copy continues exactly there.

/** A set of tables to copy. */
export interface TableCopy {
  /** Names the source in the notes of progress: "chat/sessions.db". */
  source: string;
  /** Path of the SQLite file. */
  path: string;
  pool: PostgresPool;
  /** Schema of the tables in PostgreSQL; they exist. */
  schema: string;
  /** Returns the name of a table in PostgreSQL. @default its own name */
  nameOf?(table: string): string;
  /** A column that every table in PostgreSQL has and the source has not, with its value. */
  extra?: { column: string; value: string };
  /** Columns of the source that PostgreSQL's table does not have. @default none */
  omitted?: readonly string[];
  /** Called after each batch. */
  onRows?(table: string, rowCount: number): void;
}

/** Most rows of a batch. */
const batchRows = 500;
/** Most bytes of a batch, about: rows with texts may be large. */
const batchBytes = 8 * 1024 * 1024;
/** Longest time of a statement of a batch, in milliseconds. */
const statementMs = 120_000;

/**
 * Copies all tables of a file, and compares the number of rows of each. Returns the number of rows. Throws if the target had rows of its
 * own before, or the counts differ.
 */
export async function copyTables(copy: TableCopy): Promise<number> {
  const db = openSqlite(copy.path, { readOnly: true });
  try {
    let total = 0;
    for (const table of await inOrder(tablesOf(db, copy.omitted), copy)) total += await copyTable(db, table, copy);
    return total;
  } finally {
    db.close();
  }
}

/** A table of SQLite. */
interface SourceTable {
  name: string;
  columns: readonly string[];
  /** Columns of its key, in order: of the primary key, else `rowid`. */
  key: readonly string[];
}

/** Returns the ordinary tables of a file. */
function tablesOf(db: SqliteFile, omitted: readonly string[] = []): SourceTable[] {
  const rows = db.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'").all();
  const names = rows.map(({ name }) => String(name)).filter((name) => !name.startsWith('sqlite_'));
  return names.map((name): SourceTable => {
    const columns = db.prepare('SELECT name, pk FROM pragma_table_info(?) ORDER BY cid').all(name);
    const key = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
    return {
      name,
      columns: columns.map((column) => String(column.name)).filter((column) => !omitted.includes(column)),
      key: key.length === 0 ? ['rowid'] : key.map((column) => String(column.name)),
    };
  });
}

/** Returns the tables in an order in which PostgreSQL takes them: referenced ones before those that refer to them. */
async function inOrder(tables: readonly SourceTable[], copy: TableCopy): Promise<SourceTable[]> {
  const { pool, schema, nameOf = (table) => table } = copy;
  const references = await pool.query<{ from: string; to: string }>(
    `SELECT own.relname AS from, other.relname AS to FROM pg_constraint
      JOIN pg_class AS own ON own.oid = conrelid JOIN pg_class AS other ON other.oid = confrelid
      WHERE contype = 'f' AND connamespace = $1::regnamespace`,
    [quote(schema)],
  );
  const ordered: SourceTable[] = [];
  const add = (table: SourceTable) => {
    if (ordered.includes(table)) return;
    for (const { from, to } of references) {
      const other = tables.find(({ name }) => nameOf(name) === to);
      if (from === nameOf(table.name) && other !== undefined && other !== table) add(other);
    }
    ordered.push(table);
  };
  for (const table of tables) add(table);
  return ordered;
}

async function copyTable(db: SqliteFile, table: SourceTable, copy: TableCopy): Promise<number> {
  const { pool, source } = copy;
  const target = targetOf(copy, table.name);
  let progress = await readProgress(pool, source, table.name);
  if (!progress.isDone && progress.after === 'null') await requireNoRows(pool, target, copy);
  while (!progress.isDone) {
    const rows = readBatch(db, table, progress.after);
    const isDone = rows.length === 0;
    const last = rows.at(-1);
    progress = {
      after: last === undefined ? progress.after : keyText(table, last),
      rowCount: progress.rowCount + rows.length,
      isDone,
    };
    await pool.transaction(async (connection) => {
      if (rows.length > 0) {
        // Triggers would count again what the copied rows already contain.
        await connection.query(`ALTER TABLE ${target} DISABLE TRIGGER USER`);
        await insertRows(connection, target, table, rows, copy);
        await connection.query(`ALTER TABLE ${target} ENABLE TRIGGER USER`);
      }
      if (isDone) await advanceIdentity(connection, copy, table);
      await writeProgress(connection, source, table.name, progress);
    }, statementMs);
    copy.onRows?.(table.name, progress.rowCount);
  }
  await compareCounts(db, table, target, copy);
  return progress.rowCount;
}

type SourceRow = Record<string, SQLInputValue>;

function targetOf({ schema, nameOf = (table) => table }: TableCopy, table: string): string {
  return `${quote(schema)}.${quote(nameOf(table))}`;
}

/** Returns the rows after a key, in order of the key; none at the end. */
function readBatch(db: SqliteFile, { name, columns, key }: SourceTable, after: string): SourceRow[] {
  const keys = key.map(quote).join(', ');
  const values = after === 'null' ? [] : (JSON.parse(after, toBytes) as SQLInputValue[]);
  const where = values.length === 0 ? '' : `WHERE (${keys}) > (${values.map(() => '?').join(', ')})`;
  const selected = [...new Set([...key, ...columns])].map(quote).join(', ');
  const statement = db.prepare(`SELECT ${selected} FROM ${quote(name)} ${where} ORDER BY ${keys} LIMIT ${batchRows}`);
  const rows: SourceRow[] = [];
  let sizeBytes = 0;
  for (const row of statement.iterate(...values) as Iterable<SourceRow>) {
    rows.push(row);
    for (const value of Object.values(row)) sizeBytes += sizeOf(value);
    if (sizeBytes > batchBytes) break;
  }
  return rows;
}

function sizeOf(value: SQLInputValue): number {
  if (typeof value === 'string') return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : 8;
}

/** Returns the key of a row as text; bytes are an object with their base64. */
function keyText({ key }: SourceTable, row: SourceRow): string {
  const values = key.map((column) => {
    const value = row[column] ?? null;
    return ArrayBuffer.isView(value) ? { base64: Buffer.from(value as Uint8Array).toString('base64') } : value;
  });
  return JSON.stringify(values);
}

function toBytes(_name: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'base64' in value
    ? Buffer.from(String(value.base64), 'base64')
    : value;
}

async function insertRows(
  connection: PostgresConnection,
  target: string,
  { columns }: SourceTable,
  rows: readonly SourceRow[],
  { extra }: TableCopy,
): Promise<void> {
  const names = [...(extra === undefined ? [] : [extra.column]), ...columns];
  const values: unknown[] = [];
  const tuples = rows.map((row) => {
    const own = columns.map((column) => row[column]);
    return `(${(extra === undefined ? own : [extra.value, ...own]).map((value) => `$${values.push(value)}`).join(', ')})`;
  });
  const sql = `INSERT INTO ${target} (${names.map(quote).join(', ')}) VALUES ${tuples.join(', ')}`;
  await connection.query(sql, values);
}

/** Lets the numbers that PostgreSQL gives continue after the copied ones. */
async function advanceIdentity(connection: PostgresConnection, copy: TableCopy, { name }: SourceTable): Promise<void> {
  const { schema, nameOf = (table) => table } = copy;
  const target = targetOf(copy, name);
  const found = await connection.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 AND is_identity = 'YES'`,
    [schema, nameOf(name)],
  );
  for (const { column_name: column } of found) {
    const largest = `(SELECT max(${quote(column)}) FROM ${target})`;
    await connection.query(
      `SELECT setval(pg_get_serial_sequence($1, $2), coalesce(${largest}, 1), ${largest} IS NOT NULL)`,
      [target, column],
    );
  }
}

async function requireNoRows(pool: PostgresPool, target: string, { extra, source }: TableCopy): Promise<void> {
  if ((await countRows(pool, target, extra)) === 0) return;
  throw new Error(
    `${target} has rows that are not of ${source}: name an empty database, or one that this command has begun to fill`,
  );
}

async function countRows(pool: PostgresPool, target: string, extra: TableCopy['extra']): Promise<number> {
  const where = extra === undefined ? '' : ` WHERE ${quote(extra.column)} = $1`;
  const values = extra === undefined ? [] : [extra.value];
  const [row] = await pool.query<{ count: number }>(`SELECT count(*) AS count FROM ${target}${where}`, values);
  return Number(row?.count);
}

async function compareCounts(db: SqliteFile, table: SourceTable, target: string, copy: TableCopy): Promise<void> {
  const expected = Number(db.prepare(`SELECT count(*) AS count FROM ${quote(table.name)}`).get()?.count);
  const found = await countRows(copy.pool, target, copy.extra);
  if (found === expected) return;
  throw new Error(
    `${target} has ${found} rows, and ${copy.source} has ${expected} in "${table.name}": was the source changed meanwhile?`,
  );
}
