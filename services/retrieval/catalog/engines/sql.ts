// The SQL of the catalog, written once for both engines. A query is a list of parts; what the engines write differently, above all the tenant's
// own rows, is a part of its own. Every value is bound: no text of a caller becomes SQL.

/** A value that a statement binds. */
export type SqlValue = string | number | Uint8Array | null;

/** A part of a statement that each engine writes in its own way. */
export type SqlPart =
  | { kind: 'text'; text: string }
  | { kind: 'value'; value: SqlValue }
  /** The tenant's rows of a table, in FROM. */
  | { kind: 'rows'; table: string; alias: string }
  /** A table in UPDATE or DELETE, whose condition begins with `own`. */
  | { kind: 'target'; table: string }
  /** The condition that a row of a target is the tenant's, with AND after it if one is needed. */
  | { kind: 'own'; table: string }
  /** The head of INSERT … SELECT; `end` follows the SELECT. */
  | { kind: 'insert'; table: string; columns: readonly string[] }
  | { kind: 'end' }
  /** The condition that a column is in a list. */
  | { kind: 'oneOf'; column: string; values: readonly (string | number)[] }
  /** A list as a table `wanted` with the columns `key` (position) and `value`, in FROM. */
  | { kind: 'each'; values: readonly (string | number)[]; type: 'text' | 'number' }
  /** The rows of a query as one JSON text. */
  | { kind: 'json'; columns: readonly string[]; query: Sql }
  | { kind: 'engine'; sqlite: string; postgres: string };

/** A statement, or a part of one. */
export interface Sql {
  readonly parts: readonly SqlPart[];
}

/** The insert of any number of rows; with `skipsKnown`, of those whose key is free. */
export interface RowsInsert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly skipsKnown: boolean;
}

/** A statement of a transaction. */
export type CatalogStatement = Sql | RowsInsert;

/** Returns whether a statement inserts rows of values. */
export function isRowsInsert(statement: CatalogStatement): statement is RowsInsert {
  return 'rows' in statement;
}

const one = (part: SqlPart): Sql => ({ parts: [part] });

/** Makes SQL from a template: a hole is a value to bind, or SQL. */
export function sql(texts: TemplateStringsArray, ...holes: readonly (Sql | SqlValue)[]): Sql {
  const parts: SqlPart[] = [];
  for (const [index, text] of texts.entries()) {
    if (text !== '') parts.push({ kind: 'text', text });
    if (index >= holes.length) continue;
    const hole = holes[index] as Sql | SqlValue;
    if (isSql(hole)) parts.push(...hole.parts);
    else parts.push({ kind: 'value', value: hole });
  }
  return { parts };
}

function isSql(hole: Sql | SqlValue): hole is Sql {
  return typeof hole === 'object' && hole !== null && 'parts' in hole;
}

/** Makes SQL from a text that the program wrote. */
export const plain = (text: string): Sql => one({ kind: 'text', text });

/** Returns the tenant's rows of a table, for FROM. */
export const rows = (table: string, alias: string = table): Sql => one({ kind: 'rows', table, alias });

/** Returns the condition that a column is in a list. */
export const oneOf = (column: string, values: readonly (string | number)[]): Sql =>
  one({ kind: 'oneOf', column, values });

/** Returns a list as a table `wanted` with the columns `key` and `value`, for FROM. */
export const each = (values: readonly (string | number)[], type: 'text' | 'number'): Sql =>
  one({ kind: 'each', values, type });

/** Returns the rows of a query as one JSON text, an array of objects, so that a statement reads several lists in one state. */
export const jsonOf = (columns: readonly string[], query: Sql): Sql => one({ kind: 'json', columns, query });

/** A join in this order: SQLite then reads the tables as they are written, and PostgreSQL chooses. */
export const joined: Sql = one({ kind: 'engine', sqlite: 'CROSS JOIN', postgres: 'JOIN' });

/** Returns the columns of a key of a table, for ON CONFLICT. */
export const keyOf = (...columns: readonly string[]): Sql =>
  one({ kind: 'engine', sqlite: `(${columns.join(', ')})`, postgres: `(tenant, ${columns.join(', ')})` });

/** Returns the update of a tenant's row that also notifies other processes of it. */
export const renewing = (renewal: Sql): Sql => {
  const before = one({ kind: 'engine', sqlite: '', postgres: 'WITH renewed AS (' });
  const notified = `RETURNING tenant) SELECT pg_notify('${changeChannel}', tenant) FROM renewed`;
  return sql`${before}${renewal}${one({ kind: 'engine', sqlite: '', postgres: ` ${notified}` })}`;
};

/** The channel of PostgreSQL that names tenants with a new state. */
export const changeChannel = 'ragmesh_catalog';

/** Returns the index that SQLite must use. */
export const indexedBy = (index: string): Sql => one({ kind: 'engine', sqlite: ` INDEXED BY ${index}`, postgres: '' });

/** Returns the statement that updates the tenant's rows of a table. */
export const update = (table: string, set: Sql, condition: Sql = plain('1 = 1')): Sql =>
  sql`UPDATE ${one({ kind: 'target', table })} SET ${set} WHERE ${one({ kind: 'own', table })}${condition}`;

/** Returns the statement that deletes the tenant's rows of a table that meet a condition. */
export const remove = (table: string, condition: Sql): Sql =>
  sql`DELETE FROM ${one({ kind: 'target', table })} WHERE ${one({ kind: 'own', table })}${condition}`;

/** Returns the statement that inserts the rows of a query, which has a condition; its columns are those of tables, or texts. */
export const insertFrom = (table: string, columns: readonly string[], select: Sql, end: Sql = plain('')): Sql =>
  sql`${one({ kind: 'insert', table, columns })} ${select} ${one({ kind: 'end' })} ${end}`;

/** Returns the statement that inserts rows of values. */
export const insertRows = (
  table: string,
  columns: readonly string[],
  values: RowsInsert['rows'],
  skipsKnown = false,
): RowsInsert => ({ table, columns, rows: values, skipsKnown });

/** Returns conditions joined by OR, nested in halves: SQLite limits the depth of an expression. */
export function anyOf(conditions: readonly Sql[]): Sql {
  const [first] = conditions;
  if (first === undefined) return plain('1 = 0');
  if (conditions.length === 1) return first;
  const half = conditions.length >> 1;
  return sql`(${anyOf(conditions.slice(0, half))} OR ${anyOf(conditions.slice(half))})`;
}
