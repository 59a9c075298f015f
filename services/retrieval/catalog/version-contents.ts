import { oneOf } from '../sqlite/rows.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import { inVersion } from './versions.ts';

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
  /** Returns the counts of a version's documents and chunks by access list. */
  countByAcl(
    tenant: string,
    corpusId: number,
    version: number,
  ): Promise<{ aclId: number; documentCount: number; chunkCount: number }[]>;
  /** Returns those of the keys that no chunk has. */
  findUnknownKeys(tenant: string, keys: readonly number[], signal: AbortSignal): Promise<number[]>;
  /** Returns the keys of a version's chunks above `after`, ascending, at most `limit`. */
  listChunkKeys(tenant: string, corpusId: number, version: number, after: number, limit: number): Promise<number[]>;
  /** Records that a store lacks these chunks: their documents are incomplete. */
  markIncomplete(tenant: string, keys: readonly number[]): Promise<void>;
}

const notAborted = new AbortController().signal;

/** Creates the counts over the tenants' files. */
export function createVersionContents(files: TenantFiles): VersionContents {
  return {
    async count(tenant, corpusId, version, space) {
      const sql = `SELECT count(*) AS documents, total(chunk_count) AS chunks, total(NOT complete) AS incomplete,
        total(model <> ? OR dimensions <> ?) AS foreigners FROM document WHERE corpus_id = ? AND ${inVersion}`;
      const params = [space.model, space.dimensions, corpusId, version, version];
      const [row] = await files.read(tenant, { sql, params }, notAborted);
      return {
        documentCount: Number(row?.documents ?? 0),
        chunkCount: Number(row?.chunks ?? 0),
        incompleteCount: Number(row?.incomplete ?? 0),
        foreignCount: Number(row?.foreigners ?? 0),
      };
    },
    async countByAcl(tenant, corpusId, version) {
      const sql = `SELECT acl_id, count(*) AS documents, total(chunk_count) AS chunks FROM document
        WHERE corpus_id = ? AND ${inVersion} GROUP BY acl_id`;
      const rows = await files.read(tenant, { sql, params: [corpusId, version, version] }, notAborted);
      return rows.map((row) => ({
        aclId: row.acl_id as number,
        documentCount: row.documents as number,
        chunkCount: row.chunks as number,
      }));
    },
    async findUnknownKeys(tenant, keys, signal) {
      const sql = 'SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM chunk WHERE id = value)';
      const rows = await files.read(tenant, { sql, params: [JSON.stringify(keys)] }, signal);
      return rows.map(({ value }) => value as number);
    },
    async listChunkKeys(tenant, corpusId, version, after, limit) {
      const sql = `SELECT chunk.id FROM chunk CROSS JOIN document ON document.id = chunk.document
        WHERE chunk.id > ? AND corpus_id = ? AND ${inVersion} ORDER BY chunk.id LIMIT ?`;
      const rows = await files.read(tenant, { sql, params: [after, corpusId, version, version, limit] }, notAborted);
      return rows.map(({ id }) => id as number);
    },
    async markIncomplete(tenant, keys) {
      const sql = `UPDATE document SET complete = 0 WHERE id IN (SELECT document FROM chunk WHERE ${oneOf('id')})`;
      await files.write(tenant, [{ sql, params: [JSON.stringify(keys)] }]);
    },
  };
}
