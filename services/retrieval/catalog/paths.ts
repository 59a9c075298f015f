import { visibleCondition } from '../sqlite/rows.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import type { Scope } from '../stores/index-row.ts';
import type { PassageRecord } from './documents.ts';
import { passageColumns, toPassage } from './passage-row.ts';

/** A chunk of a document in any version. */
export interface TracedChunk extends PassageRecord {
  aclId: number;
  groups: readonly string[];
  /** Versions that have it: `addedIn <= v < removedIn`. */
  addedIn: number;
  removedIn: number;
}

/** What surrounds passages, and where documents are. */
export interface PathCatalog {
  /** The chunks at most `distance` before and after each of these, those themselves left out, as far as the caller may see them. */
  neighbours(
    tenant: string,
    keys: readonly number[],
    distance: number,
    scope: Omit<Scope, 'filter'>,
    signal: AbortSignal,
  ): Promise<{ key: number; neighbour: PassageRecord }[]>;
  /** Chunks of a document in every version, whoever may see them; newest version first, at most `limit`. */
  trace(
    tenant: string,
    corpusId: number,
    documentId: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<TracedChunk[]>;
}

/** Neighbours and traces in the catalogs' files. */
export function createPathCatalog(files: TenantFiles): PathCatalog {
  return {
    async neighbours(tenant, keys, distance, scope, signal) {
      const condition = visibleCondition(scope, 'document');
      const rows = await files.read(
        tenant,
        {
          sql: `SELECT center.id AS center, ${passageColumns} FROM json_each(?) AS wanted
            CROSS JOIN chunk AS center ON center.id = wanted.value
            CROSS JOIN chunk ON chunk.document = center.document AND chunk.id <> center.id
              AND chunk.ordinal BETWEEN center.ordinal - ? AND center.ordinal + ?
            CROSS JOIN document ON document.id = chunk.document WHERE ${condition.sql} ORDER BY chunk.ordinal`,
          params: [JSON.stringify(keys), distance, distance, ...condition.params],
        },
        signal,
      );
      return rows.map((row) => ({ key: row.center as number, neighbour: toPassage(row) }));
    },
    async trace(tenant, corpusId, documentId, limit, signal) {
      const rows = await files.read(
        tenant,
        {
          sql: `SELECT ${passageColumns}, document.acl_id, acl.groups, document.added_in, document.removed_in
            FROM document CROSS JOIN chunk ON chunk.document = document.id CROSS JOIN acl ON acl.id = document.acl_id
            WHERE document.corpus_id = ? AND document.document_id = ?
            ORDER BY document.added_in DESC, chunk.ordinal LIMIT ?`,
          params: [corpusId, documentId, limit],
        },
        signal,
      );
      return rows.map((row) => ({
        ...toPassage(row),
        aclId: row.acl_id as number,
        groups: JSON.parse(row.groups as string) as string[],
        addedIn: row.added_in as number,
        removedIn: row.removed_in as number,
      }));
    },
  };
}
