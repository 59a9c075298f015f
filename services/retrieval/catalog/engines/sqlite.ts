import type { SQLInputValue } from 'node:sqlite';
import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import { createTenantFiles } from '../../sqlite/tenant-files.ts';
import type { SqliteThreads } from '../../sqlite/threads.ts';
import { type CatalogStatement, isRowsInsert, type RowsInsert, type Sql, type SqlPart } from './sql.ts';
import { sqliteMigrations } from './sqlite-schema.ts';
import type { CatalogEngine, CatalogRow } from './tables.ts';

// The catalog in files, one for each tenant: a tenant's own rows are all rows.

/** Opens the catalogs in a folder, which belongs to this process. */
export function createSqliteEngine(folder: string, threads: SqliteThreads): CatalogEngine {
  const files = createTenantFiles({ folder, name: 'catalog', threads, migrations: sqliteMigrations });
  /** Writes that have begun, and those of them that run, by tenant. */
  const writes = new Map<string, { begun: number; running: number }>();
  return {
    tables: {
      read: (tenant, query, signal) => files.read(tenant, toStatement(query), signal) as Promise<CatalogRow[]>,
      scan: (tenant, query) => files.scan(tenant, toStatement(query)) as Promise<CatalogRow[]>,
      async write(tenant, statements) {
        const counts = writes.get(tenant) ?? { begun: 0, running: 0 };
        writes.set(tenant, counts);
        counts.begun++;
        counts.running++;
        try {
          const results = await files.write(tenant, statements.flatMap(toStatements));
          return results.map((result) => result.rows);
        } finally {
          counts.running--;
        }
      },
      stamp(tenant) {
        const { begun, running } = writes.get(tenant) ?? noWrites;
        return running > 0 ? undefined : begun;
      },
      scrub: (tenant) => files.scrub(tenant),
    },
    changes: {
      isShared: false,
      currentState: async (tenant) => (files.has(tenant) ? '' : undefined),
      exclusive: (_tenant, _signal, work) => work(),
      requireTurn: () => {},
      watch: () => {},
    },
    close: () => files.close(),
  };
}

const noWrites = { begun: 0, running: 0 };

function toStatements(statement: CatalogStatement): Statement[] {
  if (!isRowsInsert(statement)) return [toStatement(statement)];
  return statement.rows.length === 0 ? [] : [insertStatement(statement)];
}

function insertStatement({ table, columns, rows, skipsKnown }: RowsInsert): Statement {
  const places = columns.map(() => '?').join(', ');
  const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places})${skipsKnown ? ' ON CONFLICT DO NOTHING' : ''}`;
  return { sql, params: rows.flat(), rowCount: rows.length };
}

/** Returns a statement in SQLite's words. */
export function toStatement({ parts }: Sql): Statement {
  const params: SQLInputValue[] = [];
  const text = (part: SqlPart): string => {
    switch (part.kind) {
      case 'text':
        return part.text;
      case 'value':
        params.push(part.value);
        return '?';
      case 'rows':
        return part.alias === part.table ? part.table : `${part.table} AS ${part.alias}`;
      case 'target':
        return part.table;
      case 'own':
      case 'end':
        return '';
      case 'insert':
        return `INSERT INTO ${part.table} (${part.columns.join(', ')})`;
      case 'oneOf':
        params.push(JSON.stringify(part.values));
        return `${part.column} IN (SELECT value FROM json_each(?))`;
      case 'each':
        params.push(JSON.stringify(part.values));
        return 'json_each(?) AS wanted';
      case 'json': {
        const fields = part.columns.map((column) => `'${column}', ${column}`).join(', ');
        return `(SELECT json_group_array(json_object(${fields})) FROM (${part.query.parts.map(text).join('')}))`;
      }
      case 'engine':
        return part.sqlite;
      default:
        return part satisfies never;
    }
  };
  return { sql: parts.map(text).join(''), params };
}
