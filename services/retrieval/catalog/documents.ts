import type { SQLInputValue } from 'node:sqlite';
import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import { oneOf, visibleCondition } from '../sqlite/rows.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import { forever, type Scope } from '../stores/index-row.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import { passageColumns, toPassage } from './passage-row.ts';
import { createRecentPassages } from './recent-passages.ts';
import { newRevision } from './versions.ts';

/** A document with its chunks, as it is written. */
export interface DocumentRecord {
  key: number;
  documentId: string;
  title: string;
  url: string;
  aclId: number;
  /** Sorted groups of the access list. */
  groups: readonly string[];
  contentHash: Uint8Array;
  chunks: readonly ChunkRecord[];
}

/** A chunk without its vector. */
export interface ChunkRecord {
  key: number;
  chunkId: string;
  ordinal: number;
  /** A Language of the contract. */
  language: number;
  startOffset: number;
  endOffset: number;
  headingPath: readonly string[];
  text: string;
}

/** A passage as it is read. */
export interface PassageRecord extends ChunkRecord {
  documentId: string;
  title: string;
  url: string;
  corpusId: number;
}

/** What a version holds. */
export interface VersionCounts {
  documentCount: number;
  chunkCount: number;
  /** Documents that a crash or a failure left without all of their rows in the stores. */
  incompleteCount: number;
  /** Documents whose vectors are of another space than the version's. */
  foreignCount: number;
}

/** A document in a list. */
export interface ListedDocument {
  documentId: string;
  contentHash: Uint8Array;
  chunkCount: number;
  /** Whether both stores have it, in the version's space. */
  isSound: boolean;
  /** Groups of its access list. */
  groups: readonly string[];
}

/** Which page of a version's documents. */
export interface DocumentPage {
  corpusId: number;
  version: number;
  /** Whether documents of versions before it are listed too, each as the newest of these versions holds it. */
  withOlder: boolean;
  space: VectorSpace;
  /** Only documents with an id above this one. */
  after: string;
  /** Only these; `undefined`: all. */
  documentIds: readonly string[] | undefined;
  /** Only with these access lists; `undefined`: all. */
  aclIds: readonly number[] | undefined;
  limit: number;
}

/** Documents and passages of the catalog. */
export interface DocumentCatalog {
  /** The documents become these in a version; they are incomplete until {@link confirm}. */
  replace(
    tenant: string,
    corpusId: number,
    version: number,
    space: VectorSpace,
    documents: readonly DocumentRecord[],
  ): Promise<void>;
  /** The stores have the documents. */
  confirm(tenant: string, corpusId: number, version: number, documentIds: readonly string[]): Promise<void>;
  /** The documents leave a version. */
  remove(tenant: string, corpusId: number, version: number, documentIds: readonly string[]): Promise<void>;
  /** Documents with these ids that a version holds. */
  countDocuments(tenant: string, corpusId: number, version: number, documentIds: readonly string[]): Promise<number>;
  /** Deletes documents from every version, notes that the stores must follow, and makes a new revision. */
  beginPurge(tenant: string, corpusId: number, documentIds: readonly string[]): Promise<void>;
  /** The stores have followed. */
  endPurge(tenant: string, corpusId: number, documentIds: readonly string[]): Promise<void>;
  /** Documents with these ids in any version, and the keys of all their chunks. */
  findAnywhere(
    tenant: string,
    corpusId: number,
    documentIds: readonly string[],
  ): Promise<{ documentCount: number; keys: number[] }>;
  /** Passages by key, as far as the scope holds them and the caller may see them; in no order. */
  passages(
    tenant: string,
    keys: readonly number[],
    scope: Omit<Scope, 'filter'>,
    signal: AbortSignal,
  ): Promise<PassageRecord[]>;
  /** Passages of live versions by chunk id, in the order of the ids. */
  livePassages(
    tenant: string,
    chunkIds: readonly string[],
    scope: Omit<Scope, 'filter'>,
    signal: AbortSignal,
  ): Promise<PassageRecord[]>;
  /** A page of a version's documents in order of id. */
  list(tenant: string, page: DocumentPage, signal: AbortSignal): Promise<ListedDocument[]>;
  count(tenant: string, corpusId: number, version: number, space: VectorSpace): Promise<VersionCounts>;
  /** Documents and chunks of a version by access list. */
  countByAcl(
    tenant: string,
    corpusId: number,
    version: number,
  ): Promise<{ aclId: number; documentCount: number; chunkCount: number }[]>;
  /** Which of these keys no chunk has. */
  findUnknownKeys(tenant: string, keys: readonly number[], signal: AbortSignal): Promise<number[]>;
  /** Keys of a version's chunks above `after`, ascending. */
  listChunkKeys(tenant: string, corpusId: number, version: number, after: number, limit: number): Promise<number[]>;
  /** Documents of these chunks lack rows in a store. */
  markIncomplete(tenant: string, keys: readonly number[]): Promise<void>;
}

const notAborted = new AbortController().signal;
/** Memory for passages that were read of late. */
const maxRecentBytes = 64 * 1024 * 1024;
const inVersion = 'added_in <= ? AND removed_in > ?';
const newestUpTo = `added_in = (SELECT max(added_in) FROM document AS other WHERE other.corpus_id = document.corpus_id
  AND other.document_id = document.document_id AND other.added_in <= ?)`;

/** Documents and passages in the catalogs' files. */
export function createDocumentCatalog(files: TenantFiles): DocumentCatalog {
  const recent = createRecentPassages(maxRecentBytes);
  const leave = (corpusId: number, version: number, documentIds: readonly string[]): Statement[] => {
    const ids = JSON.stringify(documentIds);
    const written = `corpus_id = ? AND ${oneOf('document_id')} AND added_in = ?`;
    return [
      {
        sql: `DELETE FROM chunk WHERE document IN (SELECT id FROM document WHERE ${written})`,
        params: [corpusId, ids, version],
      },
      { sql: `DELETE FROM document WHERE ${written}`, params: [corpusId, ids, version] },
      {
        sql: `UPDATE document SET removed_in = ?
          WHERE corpus_id = ? AND ${oneOf('document_id')} AND removed_in = ${forever}`,
        params: [version, corpusId, ids],
      },
    ];
  };
  return {
    async replace(tenant, corpusId, version, space, documents) {
      await files.write(tenant, [
        ...leave(
          corpusId,
          version,
          documents.map(({ documentId }) => documentId),
        ),
        ...aclStatements(documents),
        ...documents.flatMap((document) => documentStatements(corpusId, version, space, document)),
      ]);
    },
    async confirm(tenant, corpusId, version, documentIds) {
      const sql = `UPDATE document SET complete = 1 WHERE corpus_id = ? AND ${oneOf('document_id')} AND added_in = ?`;
      await files.write(tenant, [{ sql, params: [corpusId, JSON.stringify(documentIds), version] }]);
    },
    async remove(tenant, corpusId, version, documentIds) {
      await files.write(tenant, leave(corpusId, version, documentIds));
    },
    async countDocuments(tenant, corpusId, version, documentIds) {
      const sql = `SELECT count(*) AS count FROM document
        WHERE corpus_id = ? AND ${oneOf('document_id')} AND ${inVersion}`;
      const params = [corpusId, JSON.stringify(documentIds), version, version];
      const [row] = await files.read(tenant, { sql, params }, notAborted);
      return Number(row?.count ?? 0);
    },
    async beginPurge(tenant, corpusId, documentIds) {
      const params = [corpusId, JSON.stringify(documentIds)];
      const purged = `corpus_id = ? AND ${oneOf('document_id')}`;
      await files.write(tenant, [
        { sql: 'INSERT OR IGNORE INTO purge SELECT ?, value FROM json_each(?)', params },
        { sql: `DELETE FROM chunk WHERE document IN (SELECT id FROM document WHERE ${purged})`, params },
        { sql: `DELETE FROM document WHERE ${purged}`, params },
        { sql: `DELETE FROM access_change WHERE ${purged}`, params },
        ...newRevision(corpusId),
      ]);
      recent.forget(tenant);
    },
    async endPurge(tenant, corpusId, documentIds) {
      const sql = `DELETE FROM purge WHERE corpus_id = ? AND ${oneOf('document_id')}`;
      await files.write(tenant, [{ sql, params: [corpusId, JSON.stringify(documentIds)] }]);
    },
    async findAnywhere(tenant, corpusId, documentIds) {
      const params = [corpusId, JSON.stringify(documentIds)];
      const where = `corpus_id = ? AND ${oneOf('document_id')}`;
      const [documents, chunks] = await Promise.all([
        files.read(
          tenant,
          { sql: `SELECT count(DISTINCT document_id) AS count FROM document WHERE ${where}`, params },
          notAborted,
        ),
        files.read(
          tenant,
          { sql: `SELECT id FROM chunk WHERE document IN (SELECT id FROM document WHERE ${where})`, params },
          notAborted,
        ),
      ]);
      return { documentCount: Number(documents[0]?.count ?? 0), keys: chunks.map(({ id }) => id as number) };
    },
    async passages(tenant, keys, scope, signal) {
      const condition = visibleCondition(scope, 'document');
      const read = (columns: string, wanted: readonly number[]) =>
        files.read(
          tenant,
          {
            sql: `SELECT ${columns} FROM json_each(?) AS wanted CROSS JOIN chunk ON chunk.id = wanted.value
              CROSS JOIN document ON document.id = chunk.document WHERE ${condition.sql}`,
            params: [JSON.stringify(wanted), ...condition.params],
          },
          signal,
        );
      const unknown = keys.filter((key) => recent.get(tenant, key) === undefined);
      // Who may see what is asked of the catalog, also where the texts are here.
      const [visible, fresh] = await Promise.all([
        unknown.length === keys.length ? [] : read('chunk.id AS key', keys),
        unknown.length === 0 ? [] : read(passageColumns, unknown),
      ]);
      const records = fresh.map(toPassage);
      for (const record of records) recent.keep(tenant, record);
      const isFresh = new Set(records.map(({ key }) => key));
      for (const { key } of visible) {
        const record = isFresh.has(key as number) ? undefined : recent.get(tenant, key as number);
        if (record !== undefined) records.push(record);
      }
      return records;
    },
    async livePassages(tenant, chunkIds, scope, signal) {
      const condition = visibleCondition(scope, 'document');
      const rows = await files.read(
        tenant,
        {
          sql: `SELECT ${passageColumns} FROM json_each(?) AS wanted CROSS JOIN chunk ON chunk.chunk_id = wanted.value
            CROSS JOIN document ON document.id = chunk.document WHERE ${condition.sql} ORDER BY wanted.key, chunk.id`,
          params: [JSON.stringify(chunkIds), ...condition.params],
        },
        signal,
      );
      return rows.map(toPassage);
    },
    async list(tenant, { corpusId, version, withOlder, space, after, documentIds, aclIds, limit }, signal) {
      const conditions = [`corpus_id = ? AND document_id > ? AND ${withOlder ? newestUpTo : inVersion}`];
      const versions = withOlder ? [version] : [version, version];
      const params: SQLInputValue[] = [space.model, space.dimensions, corpusId, after, ...versions];
      if (documentIds !== undefined) {
        conditions.push(oneOf('document_id'));
        params.push(JSON.stringify(documentIds));
      }
      if (aclIds !== undefined) {
        conditions.push(oneOf('acl_id'));
        params.push(JSON.stringify(aclIds));
      }
      const rows = await files.read(
        tenant,
        {
          sql: `SELECT document_id, content_hash, chunk_count, complete AND model = ? AND dimensions = ? AS sound, acl.groups
            FROM document INDEXED BY document_id CROSS JOIN acl ON acl.id = document.acl_id WHERE ${conditions.join(' AND ')} ORDER BY document_id LIMIT ?`,
          params: [...params, limit],
        },
        signal,
      );
      return rows.map((row) => ({
        documentId: row.document_id as string,
        contentHash: row.content_hash as Uint8Array,
        chunkCount: row.chunk_count as number,
        isSound: row.sound === 1,
        groups: JSON.parse(row.groups as string) as string[],
      }));
    },
    async count(tenant, corpusId, version, space) {
      const [row] = await files.read(
        tenant,
        {
          sql: `SELECT count(*) AS documents, total(chunk_count) AS chunks, total(NOT complete) AS incomplete,
            total(model <> ? OR dimensions <> ?) AS alien FROM document WHERE corpus_id = ? AND ${inVersion}`,
          params: [space.model, space.dimensions, corpusId, version, version],
        },
        notAborted,
      );
      return {
        documentCount: Number(row?.documents ?? 0),
        chunkCount: Number(row?.chunks ?? 0),
        incompleteCount: Number(row?.incomplete ?? 0),
        foreignCount: Number(row?.alien ?? 0),
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

// Every list of the batch, known or not: a number is worth something only where it is durable with its documents.
function aclStatements(documents: readonly DocumentRecord[]): Statement[] {
  const groups = new Map(documents.map((document) => [document.aclId, document.groups]));
  return [...groups].map(([aclId, names]) => ({
    sql: 'INSERT INTO acl VALUES (?, ?) ON CONFLICT DO NOTHING',
    params: [aclId, JSON.stringify(names)],
  }));
}

function documentStatements(
  corpusId: number,
  version: number,
  { model, dimensions }: VectorSpace,
  { key, documentId, title, url, aclId, groups, contentHash, chunks }: DocumentRecord,
): Statement[] {
  return [
    {
      // A number that stands for other groups gives NULL, and the transaction fails: access is never guessed.
      sql: `INSERT INTO document
        VALUES (?, ?, ?, ?, (SELECT id FROM acl WHERE id = ? AND groups = ?), ?, 0, ?, ?, ?, ?, ?, ?)`,
      params: [
        key,
        corpusId,
        version,
        forever,
        aclId,
        JSON.stringify(groups),
        chunks.length,
        dimensions,
        model,
        documentId,
        contentHash,
        title,
        url,
      ],
    },
    ...chunks.map((chunk) => ({
      sql: 'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      params: [
        chunk.key,
        key,
        chunk.ordinal,
        chunk.language,
        chunk.startOffset,
        chunk.endOffset,
        chunk.chunkId,
        JSON.stringify(chunk.headingPath),
        chunk.text,
      ],
    })),
  ];
}
