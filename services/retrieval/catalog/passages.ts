import type { AccessScope } from '../stores/index-row.ts';
import { anyOf, each, joined, oneOf, plain, rows, type Sql, sql } from './engines/sql.ts';
import type { CatalogRow, CatalogTables } from './engines/tables.ts';
import { type PassageRecord, passageColumns, toPassage } from './passage-record.ts';
import type { DocumentAccess, RecentPassage, RecentPassages } from './recent-passages.ts';

/** A chunk of a document in any version. */
export interface TracedChunk extends PassageRecord, DocumentAccess {
  groups: readonly string[];
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

/** Creates the catalog of passages. `recent` caches the texts, and who may see them while no row of the tenant changes. */
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
      const stamp = tables.stamp(tenant);
      const records: PassageRecord[] = [];
      const unknown: number[] = [];
      const doubtful = new Map<number, RecentPassage>();
      for (const key of keys) {
        const passage = recent.get(tenant, key);
        if (passage === undefined) unknown.push(key);
        else if (stamp === undefined || passage.stamp !== stamp) doubtful.set(key, passage);
        else if (isVisible(passage, scope)) records.push(passage.record);
      }
      // The catalog decides what the scope may see, also for texts that are cached.
      const [seen, fresh] = await Promise.all([
        doubtful.size === 0 ? [] : readRows(tenant, accessColumns, [...doubtful.keys()], scope, signal),
        unknown.length === 0 ? [] : readRows(tenant, sql`${passageColumns}, ${accessColumns}`, unknown, scope, signal),
      ]);
      for (const row of seen) {
        const passage = doubtful.get(row.key as number) as RecentPassage;
        passage.access = toAccess(row);
        passage.stamp = stamp;
        records.push(passage.record);
      }
      for (const row of fresh) {
        const record = toPassage(row);
        recent.keep(tenant, { record, access: toAccess(row), stamp });
        records.push(record);
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

/** Returns what {@link visible} is for the passage's document. */
function isVisible({ record, access }: RecentPassage, { corpora, aclIds }: AccessScope): boolean {
  if (!aclIds.includes(access.aclId)) return false;
  return corpora.some(
    ({ corpusId, version }) => record.corpusId === corpusId && access.addedIn <= version && access.removedIn > version,
  );
}

/** The columns that {@link toAccess} reads, and the key. */
const accessColumns = plain('chunk.id AS key, document.acl_id, document.added_in, document.removed_in');

function toAccess(row: CatalogRow): DocumentAccess {
  return {
    aclId: row.acl_id as number,
    addedIn: row.added_in as number,
    removedIn: row.removed_in as number,
  };
}

function toTracedChunk(row: CatalogRow): TracedChunk {
  return {
    ...toPassage(row),
    ...toAccess(row),
    groups: JSON.parse(row.groups as string) as string[],
  };
}
