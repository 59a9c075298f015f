import type { AccessScope } from '../stores/index-row.ts';
import { anyOf, each, joined, oneOf, plain, rows, type Sql, sql } from './engines/sql.ts';
import type { CatalogRow, CatalogTables } from './engines/tables.ts';
import { type PassageRecord, passageColumns, toPassage } from './passage-record.ts';
import type { RecentPassages } from './recent-passages.ts';

/** A chunk of a document in any version. */
export interface TracedChunk extends PassageRecord {
  aclId: number;
  groups: readonly string[];
  /** The chunk is in the versions `addedIn <= v < removedIn`. */
  addedIn: number;
  removedIn: number;
}

/** The texts of the catalog. Every read but {@link trace} returns only passages that its scope may see. */
export interface PassageCatalog {
  /** Returns the passages with these keys, in no order. */
  read(tenant: string, keys: readonly number[], scope: AccessScope, signal: AbortSignal): Promise<PassageRecord[]>;
  /** Returns the passages with these chunk ids, in the order of the ids; one for each corpus that has the id. */
  readByChunkId(
    tenant: string,
    chunkIds: readonly string[],
    scope: AccessScope,
    signal: AbortSignal,
  ): Promise<PassageRecord[]>;
  /** Returns the chunks at most `distance` before and after each of these in its document, without these themselves. */
  readNeighbours(
    tenant: string,
    keys: readonly number[],
    distance: number,
    scope: AccessScope,
    signal: AbortSignal,
  ): Promise<{ key: number; neighbour: PassageRecord }[]>;
  /**
   * Returns the chunks of a document in every version, newest version first, at most `limit`. It does not check access: the
   * caller must.
   */
  trace(
    tenant: string,
    corpusId: number,
    documentId: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<TracedChunk[]>;
  /** Removes the tenant's texts from memory, because another process has purged some of them. */
  forgetAll(tenant: string): void;
}

/** Creates the catalog of passages. `recent` caches the texts. */
export function createPassageCatalog(tables: CatalogTables, recent: RecentPassages): PassageCatalog {
  const readRows = (tenant: string, columns: Sql, keys: readonly number[], scope: AccessScope, signal: AbortSignal) =>
    tables.read(
      tenant,
      sql`SELECT ${columns} FROM ${each(keys, 'number')} ${joined} ${rows('chunk')} ON chunk.id = wanted.value
        ${joined} ${rows('document')} ON document.id = chunk.document WHERE ${visible(scope)}`,
      signal,
    );

  return {
    async read(tenant, keys, scope, signal) {
      const unknown = keys.filter((key) => recent.get(tenant, key) === undefined);
      // The catalog decides what the scope may see, also for texts that are cached.
      const [seen, fresh] = await Promise.all([
        unknown.length === keys.length ? [] : readRows(tenant, plain('chunk.id AS key'), keys, scope, signal),
        unknown.length === 0 ? [] : readRows(tenant, passageColumns, unknown, scope, signal),
      ]);
      const records = fresh.map(toPassage);
      for (const record of records) recent.keep(tenant, record);
      const freshKeys = new Set(records.map(({ key }) => key));
      for (const { key } of seen) {
        const record = freshKeys.has(key as number) ? undefined : recent.get(tenant, key as number);
        if (record !== undefined) records.push(record);
      }
      return records;
    },
    async readByChunkId(tenant, chunkIds, scope, signal) {
      const query = sql`SELECT ${passageColumns} FROM ${each(chunkIds, 'text')}
        ${joined} ${rows('chunk')} ON chunk.chunk_id = wanted.value
        ${joined} ${rows('document')} ON document.id = chunk.document
        WHERE ${visible(scope)} ORDER BY wanted.key, chunk.id`;
      return (await tables.read(tenant, query, signal)).map(toPassage);
    },
    async readNeighbours(tenant, keys, distance, scope, signal) {
      const query = sql`SELECT center.id AS center, ${passageColumns} FROM ${each(keys, 'number')}
        ${joined} ${rows('chunk', 'center')} ON center.id = wanted.value
        ${joined} ${rows('chunk')} ON chunk.document = center.document AND chunk.id <> center.id
          AND chunk.ordinal BETWEEN center.ordinal - ${distance} AND center.ordinal + ${distance}
        ${joined} ${rows('document')} ON document.id = chunk.document WHERE ${visible(scope)} ORDER BY chunk.ordinal`;
      const found = await tables.read(tenant, query, signal);
      return found.map((row) => ({ key: row.center as number, neighbour: toPassage(row) }));
    },
    async trace(tenant, corpusId, documentId, limit, signal) {
      const query = sql`SELECT ${passageColumns}, document.acl_id, acl.groups, document.added_in, document.removed_in
        FROM ${rows('document')} ${joined} ${rows('chunk')} ON chunk.document = document.id
        ${joined} ${rows('acl')} ON acl.id = document.acl_id
        WHERE document.corpus_id = ${corpusId} AND document.document_id = ${documentId}
        ORDER BY document.added_in DESC, chunk.ordinal LIMIT ${limit}`;
      return (await tables.read(tenant, query, signal)).map(toTracedChunk);
    },
    forgetAll: (tenant) => recent.forgetAll(tenant),
  };
}

/** Returns the condition that a document is in the scope's corpora at their versions and has one of its access lists. */
function visible({ corpora, aclIds }: AccessScope): Sql {
  const versions = corpora.map(
    ({ corpusId, version }) =>
      sql`(document.corpus_id = ${corpusId} AND document.added_in <= ${version} AND document.removed_in > ${version})`,
  );
  return sql`${oneOf('document.acl_id', aclIds)} AND ${anyOf(versions)}`;
}

function toTracedChunk(row: CatalogRow): TracedChunk {
  return {
    ...toPassage(row),
    aclId: row.acl_id as number,
    groups: JSON.parse(row.groups as string) as string[],
    addedIn: row.added_in as number,
    removedIn: row.removed_in as number,
  };
}
