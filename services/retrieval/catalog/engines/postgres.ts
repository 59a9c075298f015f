import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import { quoteName } from '#kit/storage/postgres/database.ts';
import type { PostgresPool } from '#kit/storage/postgres/pool.ts';
import { createLeases, type Lease } from './leases.ts';
import { type CatalogStatement, changeChannel, isRowsInsert, type RowsInsert, type Sql, type SqlPart } from './sql.ts';
import { createStateReader } from './state-reader.ts';
import type { CatalogEngine, CatalogRow } from './tables.ts';

// The catalog in PostgreSQL, shared by all replicas. Every statement names the tenant as its first parameter.

/** What the engine needs. */
export interface PostgresEngineDeps {
  pool: PostgresPool;
  /** The schema of the tables; `postgresMigrations` have made them. */
  schema: string;
  /** Returns a number from 0 up to 1. */
  random: () => number;
  /** Returns the time, in milliseconds since the epoch. */
  clock: () => number;
}

/** Longest statement of a change: a sweep may delete all rows of a version. In milliseconds. */
const longestStatementMs = 120_000;

/** How often this process asks for changes of other replicas, in case that it missed a notification. */
const pollEveryMs = 30_000;

/** Opens the catalog. */
export function createPostgresEngine({ pool, schema, random, clock }: PostgresEngineDeps): CatalogEngine {
  const holder = `${random()}`.slice(2);
  const leases = createLeases(pool, tableName(schema, 'lease'), holder, { random, clock });
  const states = createStateReader(pool, tableName(schema, 'tenant'));
  const fenced = `SELECT fence FROM ${tableName(schema, 'lease')} WHERE tenant = $1 AND fence = $2 FOR SHARE`;
  /** By tenant; its changes come one after another. */
  const held = new Map<string, Lease>();
  const closing = new AbortController();

  const read = (tenant: string, query: Sql) => {
    const { text, values } = toQuery(schema, query, tenant);
    return pool.query<CatalogRow>(text, values);
  };

  return {
    tables: {
      read: (tenant, query, signal) => within(() => read(tenant, query), { signals: [signal] }),
      scan: read,
      stamp: () => undefined,
      async write(tenant, statements) {
        const fence = held.get(tenant)?.fence;
        if (fence === undefined) throw new Error('the catalog is changed outside of a change');
        return pool.transaction(async (connection) => {
          const [own] = await connection.query(fenced, [tenant, fence]);
          if (own === undefined) throw takenOver();
          const results: CatalogRow[][] = [];
          for (const { text, values } of statements.flatMap((statement) => toQueries(schema, statement, tenant))) {
            results.push(await connection.query<CatalogRow>(text, values));
          }
          return results;
        }, longestStatementMs);
      },
      async scrub() {
        // Of all tenants, and of the stores in the same schema: VACUUM knows tables only.
        const tables = await pool.query<{ name: string }>(
          'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1',
          [schema],
        );
        for (const { name } of tables) await pool.query(`VACUUM ${quoteName(schema)}.${quoteName(name)}`);
      },
    },
    changes: {
      isShared: true,
      currentState: (tenant, signal) => states.read(tenant, signal),
      async exclusive(tenant, signal, work) {
        const lease = await leases.take(tenant, signal);
        held.set(tenant, lease);
        try {
          return await work();
        } finally {
          held.delete(tenant);
          await lease.release();
        }
      },
      requireTurn(tenant) {
        if (held.get(tenant)?.isCurrent() !== true) throw takenOver();
      },
      watch(onChange) {
        // A failure to listen is the pool's to repair; meanwhile each search reads the state itself.
        pool.listen(changeChannel, onChange, closing.signal).catch(() => {});
        const timer = setInterval(() => onChange(undefined), pollEveryMs);
        timer.unref();
        closing.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
      },
    },
    async close() {
      closing.abort();
    },
  };
}

const takenOver = () =>
  unavailable('retrieval', "another replica has taken over the changes of the tenant's index: try again");

/** A statement in PostgreSQL's words. */
interface PostgresQuery {
  text: string;
  values: unknown[];
}

/** Most parameters of an insert; the protocol has 65,535. */
const maxParameters = 20_000;

const tableName = (schema: string, table: string) => `${schema}.catalog_${table}`;

function toQueries(schema: string, statement: CatalogStatement, tenant: string): PostgresQuery[] {
  if (!isRowsInsert(statement)) return [toQuery(schema, statement, tenant)];
  const size = Math.floor((maxParameters - 1) / statement.columns.length);
  const queries: PostgresQuery[] = [];
  for (let start = 0; start < statement.rows.length; start += size) {
    const part = { ...statement, rows: statement.rows.slice(start, start + size) };
    queries.push(insertQuery(tableName(schema, statement.table), part, tenant));
  }
  return queries;
}

function insertQuery(table: string, { columns, rows, skipsKnown }: RowsInsert, tenant: string): PostgresQuery {
  const places = rows.map(
    (row, at) => `($1${row.map((_value, column) => `, $${2 + at * columns.length + column}`).join('')})`,
  );
  const head = `INSERT INTO ${table} (tenant, ${columns.join(', ')}) VALUES`;
  return {
    text: `${head} ${places.join(', ')}${skipsKnown ? ' ON CONFLICT DO NOTHING' : ''}`,
    values: [tenant, ...rows.flat()],
  };
}

/** Returns a statement in PostgreSQL's words. */
export function toQuery(schema: string, statement: Sql, tenant: string): PostgresQuery {
  const name = (table: string) => tableName(schema, table);
  const values: unknown[] = [tenant];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const text = (part: SqlPart): string => {
    switch (part.kind) {
      case 'text':
        return part.text;
      case 'value':
        return bind(part.value);
      case 'rows':
        return `(SELECT * FROM ${name(part.table)} WHERE tenant = $1) AS ${part.alias}`;
      case 'target':
        return `${name(part.table)} AS ${part.table}`;
      case 'own':
        return `${part.table}.tenant = $1 AND `;
      case 'insert':
        return `INSERT INTO ${name(part.table)} (tenant, ${part.columns.join(', ')}) SELECT $1, made.* FROM (`;
      case 'end':
        return ') AS made';
      case 'oneOf':
        return `${part.column} = ANY(${bind(part.values)})`;
      case 'each': {
        const type = part.type === 'number' ? 'bigint' : 'text';
        return `unnest(${bind(part.values)}::${type}[]) WITH ORDINALITY AS wanted(value, key)`;
      }
      case 'json':
        return `(SELECT coalesce(json_agg(listed), '[]')::text FROM (${part.query.parts.map(text).join('')}) AS listed)`;
      case 'engine':
        return part.postgres;
      default:
        return part satisfies never;
    }
  };
  return { text: statement.parts.map(text).join(''), values };
}
