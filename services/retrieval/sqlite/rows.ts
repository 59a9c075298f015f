import type { SQLInputValue } from 'node:sqlite';
import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import {
  type AccessScope,
  type Change,
  forever,
  type IndexRow,
  type RowFilter,
  type SearchScope,
} from '../stores/index-row.ts';
import { imageSchema } from './image-records.ts';

// The rows of an embedded store in SQL: the table that both stores have beside their own index, its changes, and the conditions of a
// query. All values are bound; no text of a caller becomes SQL.

/** The schema of the rows. */
const rowSchema = `
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  corpus_id INTEGER NOT NULL,
  acl_id INTEGER NOT NULL,
  added_in INTEGER NOT NULL,
  removed_in INTEGER NOT NULL,
  language INTEGER NOT NULL,
  updated_ms INTEGER,
  document_id TEXT NOT NULL,
  chunk_id TEXT NOT NULL
);
CREATE INDEX chunk_document ON chunk (corpus_id, document_id);
CREATE INDEX chunk_added ON chunk (corpus_id, added_in);
CREATE INDEX chunk_removed ON chunk (corpus_id, removed_in) WHERE removed_in < ${forever};
CREATE TABLE attribute (
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (name, value, id)
) WITHOUT ROWID;
CREATE INDEX attribute_id ON attribute (id);
`;

/** The number of rows of each corpus, in all of its versions: counting them would read all. */
const sizeSchema = `
CREATE TABLE corpus_size (corpus_id INTEGER PRIMARY KEY, row_count INTEGER NOT NULL);
INSERT INTO corpus_size SELECT corpus_id, count(*) FROM chunk GROUP BY corpus_id;
CREATE TRIGGER chunk_counted AFTER INSERT ON chunk BEGIN INSERT INTO corpus_size VALUES (new.corpus_id, 1)
  ON CONFLICT (corpus_id) DO UPDATE SET row_count = row_count + 1; END;
CREATE TRIGGER chunk_uncounted AFTER DELETE ON chunk BEGIN
  UPDATE corpus_size SET row_count = row_count - 1 WHERE corpus_id = old.corpus_id; END;
`;

/** Returns the migrations of a store's files. `indexSchema`: of its own index; `lateSchema`: of what its images need beside the records. */
export const storeMigrations = (indexSchema: string, lateSchema = ''): readonly string[] => [
  `${rowSchema}${indexSchema}`,
  sizeSchema,
  `${imageSchema}${lateSchema}`,
];

/** The schema of the list of the tables of vectors, one for each corpus and space (adapters/vector-store/sqlite/tables.ts). */
export const tablesSchema = `
CREATE TABLE space (
  id INTEGER PRIMARY KEY,
  corpus_id INTEGER NOT NULL,
  model TEXT NOT NULL,
  dimensions INTEGER NOT NULL,
  UNIQUE (corpus_id, model, dimensions)
);
`;

/** A store's own index of its rows. Each function returns the statements of a change; `select` finds the ids of the rows. */
export interface RowIndex<R extends IndexRow> {
  insert(row: R, version: number): Statement[];
  remove(select: Statement): Statement[];
  setRemovedIn(select: Statement, version: number): Statement[];
  setAclId(select: Statement, aclId: number): Statement[];
}

/**
 * Returns the statements of a change, for one transaction. A sum (`added_in + 0`) keeps SQLite from the index of that column: it would read all rows
 * of a version to find those of some documents.
 */
export function changeStatements<R extends IndexRow>(
  corpusId: number,
  change: Change<R>,
  index: RowIndex<R>,
): Statement[] {
  const remove = (where: string, ...params: SQLInputValue[]): Statement[] => {
    const select = selectIds(where, params);
    return [
      ...index.remove(select),
      { sql: `DELETE FROM attribute WHERE id IN (${select.sql})`, params },
      { sql: `DELETE FROM chunk WHERE ${where}`, params },
    ];
  };
  const setRemovedIn = (version: number, where: string, ...params: SQLInputValue[]): Statement[] => [
    ...index.setRemovedIn(selectIds(where, params), version),
    { sql: `UPDATE chunk SET removed_in = ? WHERE ${where}`, params: [version, ...params] },
  ];
  switch (change.kind) {
    case 'replace': {
      const { version, rows } = change;
      const documents = JSON.stringify(change.documentIds);
      return [
        ...remove(`corpus_id = ? AND ${oneOf('document_id')} AND added_in + 0 = ?`, corpusId, documents, version),
        ...setRemovedIn(
          version,
          `corpus_id = ? AND ${oneOf('document_id')} AND removed_in + 0 = ${forever}`,
          corpusId,
          documents,
        ),
        ...rows.flatMap((row) => [...insertRow(corpusId, row, version), ...index.insert(row, version)]),
      ];
    }
    case 'retain':
      return [
        ...remove('corpus_id = ? AND added_in > ?', corpusId, change.newest),
        ...remove(`corpus_id = ? AND removed_in < ${forever} AND removed_in <= ?`, corpusId, change.oldest),
        ...setRemovedIn(
          forever,
          `corpus_id = ? AND removed_in < ${forever} AND removed_in > ?`,
          corpusId,
          change.newest,
        ),
      ];
    case 'purge':
      return remove(`corpus_id = ? AND ${oneOf('document_id')}`, corpusId, JSON.stringify(change.documentIds));
    case 'access': {
      const where = `corpus_id = ? AND ${oneOf('document_id')} AND added_in + 0 <= ? AND acl_id <> ?`;
      const params = [corpusId, JSON.stringify(change.documentIds), change.version, change.aclId];
      return [
        ...index.setAclId(selectIds(where, params), change.aclId),
        { sql: `UPDATE chunk SET acl_id = ? WHERE ${where}`, params: [change.aclId, ...params] },
      ];
    }
    case 'forget':
      return remove(`corpus_id + 0 = ? AND ${oneOf('id')}`, corpusId, JSON.stringify(change.keys));
    default:
      return change satisfies never;
  }
}

const selectIds = (where: string, params: readonly SQLInputValue[]): Statement => ({
  sql: `SELECT id FROM chunk WHERE ${where}`,
  params,
});

function insertRow(corpusId: number, row: IndexRow, version: number): Statement[] {
  const { key, aclId, language, updatedMs = null, documentId, chunkId } = row;
  return [
    {
      sql: 'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      params: [key, corpusId, aclId, version, forever, language, updatedMs, documentId, chunkId],
    },
    ...Object.entries(row.attributes).map(([name, value]) => ({
      sql: 'INSERT INTO attribute VALUES (?, ?, ?)',
      params: [name, value, key],
    })),
  ];
}

/** Returns the condition that a column is in a list, which is bound as JSON. */
export function oneOf(column: string): string {
  return `${column} IN (SELECT value FROM json_each(?))`;
}

/** Returns the condition that a row is in the scope: corpora at their versions, access lists, and filter. */
export function scopeCondition(scope: SearchScope, table: string): Statement {
  const visible = visibleCondition(scope, table);
  const filter = filterCondition(scope.filter, table);
  return { sql: `${visible.sql}${filter.sql}`, params: [...visible.params, ...filter.params] };
}

/** Returns the condition that a row is in the scope's corpora at their versions and has one of its access lists. */
export function visibleCondition({ corpora, aclIds }: AccessScope, table: string): Statement {
  const version = `(${table}.corpus_id = ? AND ${table}.added_in <= ? AND ${table}.removed_in > ?)`;
  return {
    sql: `${oneOf(`${table}.acl_id`)} AND ${anyOf(corpora.map(() => version))}`,
    params: [JSON.stringify(aclIds), ...corpora.flatMap(({ corpusId, version: at }) => [corpusId, at, at])],
  };
}

/** Returns the caller's own conditions, each with a leading AND; empty without any. */
export function filterCondition(filter: RowFilter | undefined, table: string): Statement {
  const conditions: string[] = [];
  const params: SQLInputValue[] = [];
  const add = (condition: string, ...values: SQLInputValue[]) => {
    conditions.push(` AND ${condition}`);
    params.push(...values);
  };
  if (filter === undefined) return { sql: '', params };
  if (filter.documentIds.length > 0) add(oneOf(`${table}.document_id`), JSON.stringify(filter.documentIds));
  if (filter.languages.length > 0) add(oneOf(`${table}.language`), JSON.stringify(filter.languages));
  for (const { name, values } of filter.attributes) {
    const ids = `SELECT id FROM attribute WHERE name = ? AND ${oneOf('value')}`;
    add(`${table}.id IN (${ids})`, name, JSON.stringify(values));
  }
  if (filter.updatedFromMs !== undefined) add(`${table}.updated_ms >= ?`, filter.updatedFromMs);
  if (filter.updatedBeforeMs !== undefined) add(`${table}.updated_ms < ?`, filter.updatedBeforeMs);
  return { sql: conditions.join(''), params };
}

// Nests the conditions in halves: SQLite limits the depth of an expression, and a tenant may have a thousand corpora.
function anyOf(conditions: readonly string[]): string {
  if (conditions.length === 0) return '0';
  if (conditions.length === 1) return conditions[0] as string;
  const half = conditions.length >> 1;
  return `(${anyOf(conditions.slice(0, half))} OR ${anyOf(conditions.slice(half))})`;
}

/** Returns the query for the number of rows of a version: all but the few that came later or are gone. It takes no time for the newest ones. */
export function countStatement(corpusId: number, version: number): Statement {
  return {
    sql: `SELECT ifnull((SELECT row_count FROM corpus_size WHERE corpus_id = ?), 0)
      - (SELECT count(*) FROM chunk WHERE corpus_id = ? AND added_in > ?)
      - (SELECT count(*) FROM chunk WHERE corpus_id = ? AND removed_in < ${forever} AND removed_in <= ?) AS count`,
    params: [corpusId, corpusId, version, corpusId, version],
  };
}

/** Returns the query for a page of a corpus's keys. */
export function keysStatement(corpusId: number, after: number, limit: number): Statement {
  return {
    sql: 'SELECT id FROM chunk WHERE corpus_id = ? AND id > ? ORDER BY id LIMIT ?',
    params: [corpusId, after, limit],
  };
}
