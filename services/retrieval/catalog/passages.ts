import type { Row } from '#kit/storage/sqlite/protocol.ts';
import { visibleCondition } from '../sqlite/rows.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import type { AccessScope } from '../stores/index-row.ts';
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
}

/** Creates the catalog of passages over the tenants' files. `recent` caches the texts. */
export function createPassageCatalog(files: TenantFiles, recent: RecentPassages): PassageCatalog {
  const readRows = (
    tenant: string,
    columns: string,
    keys: readonly number[],
    scope: AccessScope,
    signal: AbortSignal,
  ) => {
    const condition = visibleCondition(scope, 'document');
    const sql = `SELECT ${columns} FROM json_each(?) AS wanted CROSS JOIN chunk ON chunk.id = wanted.value
      CROSS JOIN document ON document.id = chunk.document WHERE ${condition.sql}`;
    return files.read(tenant, { sql, params: [JSON.stringify(keys), ...condition.params] }, signal);
  };

  return {
    async read(tenant, keys, scope, signal) {
      const unknown = keys.filter((key) => recent.get(tenant, key) === undefined);
      // The catalog decides what the scope may see, also for texts that are cached.
      const [visible, fresh] = await Promise.all([
        unknown.length === keys.length ? [] : readRows(tenant, 'chunk.id AS key', keys, scope, signal),
        unknown.length === 0 ? [] : readRows(tenant, passageColumns, unknown, scope, signal),
      ]);
      const records = fresh.map(toPassage);
      for (const record of records) recent.keep(tenant, record);
      const freshKeys = new Set(records.map(({ key }) => key));
      for (const { key } of visible) {
        const record = freshKeys.has(key as number) ? undefined : recent.get(tenant, key as number);
        if (record !== undefined) records.push(record);
      }
      return records;
    },
    async readByChunkId(tenant, chunkIds, scope, signal) {
      const condition = visibleCondition(scope, 'document');
      const sql = `SELECT ${passageColumns} FROM json_each(?) AS wanted CROSS JOIN chunk ON chunk.chunk_id = wanted.value
        CROSS JOIN document ON document.id = chunk.document WHERE ${condition.sql} ORDER BY wanted.key, chunk.id`;
      const params = [JSON.stringify(chunkIds), ...condition.params];
      return (await files.read(tenant, { sql, params }, signal)).map(toPassage);
    },
    async readNeighbours(tenant, keys, distance, scope, signal) {
      const condition = visibleCondition(scope, 'document');
      const sql = `SELECT center.id AS center, ${passageColumns} FROM json_each(?) AS wanted
        CROSS JOIN chunk AS center ON center.id = wanted.value
        CROSS JOIN chunk ON chunk.document = center.document AND chunk.id <> center.id
          AND chunk.ordinal BETWEEN center.ordinal - ? AND center.ordinal + ?
        CROSS JOIN document ON document.id = chunk.document WHERE ${condition.sql} ORDER BY chunk.ordinal`;
      const params = [JSON.stringify(keys), distance, distance, ...condition.params];
      const rows = await files.read(tenant, { sql, params }, signal);
      return rows.map((row) => ({ key: row.center as number, neighbour: toPassage(row) }));
    },
    async trace(tenant, corpusId, documentId, limit, signal) {
      const sql = `SELECT ${passageColumns}, document.acl_id, acl.groups, document.added_in, document.removed_in
        FROM document CROSS JOIN chunk ON chunk.document = document.id CROSS JOIN acl ON acl.id = document.acl_id
        WHERE document.corpus_id = ? AND document.document_id = ?
        ORDER BY document.added_in DESC, chunk.ordinal LIMIT ?`;
      return (await files.read(tenant, { sql, params: [corpusId, documentId, limit] }, signal)).map(toTracedChunk);
    },
  };
}

function toTracedChunk(row: Row): TracedChunk {
  return {
    ...toPassage(row),
    aclId: row.acl_id as number,
    groups: JSON.parse(row.groups as string) as string[],
    addedIn: row.added_in as number,
    removedIn: row.removed_in as number,
  };
}
