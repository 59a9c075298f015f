import type { VectorSpace } from '../stores/vector-store.ts';
import { each, joined, oneOf, rows, sql, update } from './engines/sql.ts';
import type { CatalogTables } from './engines/tables.ts';
import { inVersion } from './states.ts';

/** The size of a version's contents. */
export interface VersionCounts {
  documentCount: number;
  chunkCount: number;
  /** Documents that a crash or a failure left without all of their rows in the stores. */
  incompleteCount: number;
  /** Documents whose vectors are of another space than the version's. */
  foreignCount: number;
}

/** Counts and keys of a version, to compare the stores with the catalog. */
export interface VersionContents {
  count(tenant: string, corpusId: number, version: number, space: VectorSpace): Promise<VersionCounts>;
  /** Returns the counts of a version's documents and chunks by access list. `isUrgent`: whether a search waits for them. */
  countByAcl(
    tenant: string,
    corpusId: number,
    version: number,
    isUrgent: boolean,
  ): Promise<{ aclId: number; documentCount: number; chunkCount: number }[]>;
  /** Returns those of the keys that no chunk has. */
  findUnknownKeys(tenant: string, keys: readonly number[], signal: AbortSignal): Promise<number[]>;
  /** Returns the keys of a version's chunks above `after`, ascending, at most `limit`. */
  listChunkKeys(tenant: string, corpusId: number, version: number, after: number, limit: number): Promise<number[]>;
  /** Records that a store lacks these chunks: their documents are incomplete. */
  markIncomplete(tenant: string, keys: readonly number[]): Promise<void>;
}

const notAborted = new AbortController().signal;

/** Creates the counts. */
export function createVersionContents(tables: CatalogTables): VersionContents {
  return {
    async count(tenant, corpusId, version, { model, dimensions }) {
      const query = sql`SELECT count(*) AS documents, coalesce(sum(chunk_count), 0) AS chunks,
          count(*) FILTER (WHERE complete = 0) AS incomplete,
          count(*) FILTER (WHERE model <> ${model} OR dimensions <> ${dimensions}) AS foreigners
        FROM ${rows('document')} WHERE corpus_id = ${corpusId} AND ${inVersion(version)}`;
      const [row] = await tables.scan(tenant, query);
      return {
        documentCount: Number(row?.documents ?? 0),
        chunkCount: Number(row?.chunks ?? 0),
        incompleteCount: Number(row?.incomplete ?? 0),
        foreignCount: Number(row?.foreigners ?? 0),
      };
    },
    async countByAcl(tenant, corpusId, version, isUrgent) {
      const query = sql`SELECT acl_id, count(*) AS documents, sum(chunk_count) AS chunks FROM ${rows('document')}
        WHERE corpus_id = ${corpusId} AND ${inVersion(version)} GROUP BY acl_id`;
      const found = isUrgent ? await tables.read(tenant, query, notAborted) : await tables.scan(tenant, query);
      return found.map((row) => ({
        aclId: row.acl_id as number,
        documentCount: Number(row.documents),
        chunkCount: Number(row.chunks),
      }));
    },
    async findUnknownKeys(tenant, keys, signal) {
      const query = sql`SELECT wanted.value FROM ${each(keys, 'number')}
        WHERE NOT EXISTS (SELECT 1 FROM ${rows('chunk')} WHERE chunk.id = wanted.value)`;
      return (await tables.read(tenant, query, signal)).map(({ value }) => value as number);
    },
    async listChunkKeys(tenant, corpusId, version, after, limit) {
      const query = sql`SELECT chunk.id FROM ${rows('chunk')}
        ${joined} ${rows('document')} ON document.id = chunk.document
        WHERE chunk.id > ${after} AND corpus_id = ${corpusId} AND ${inVersion(version)} ORDER BY chunk.id LIMIT ${limit}`;
      return (await tables.scan(tenant, query)).map(({ id }) => id as number);
    },
    async markIncomplete(tenant, keys) {
      const documents = sql`id IN (SELECT document FROM ${rows('chunk')} WHERE ${oneOf('id', keys)})`;
      await tables.write(tenant, [update('document', sql`complete = 0`, documents)]);
    },
  };
}
