import { type ExpressionBuilder, type Insertable, sql } from 'kysely';
import { everyone } from '#kit/rpc/access.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Chunk } from '../chunk/chunk.ts';
import type { PreparedDocument } from '../prepare/prepared.ts';
import type { DocumentTable, RecordsSchema } from '../uploads/records.ts';

/** A corpus of a tenant. */
export interface CorpusScope {
  tenant: string;
  corpus: string;
}

/** Identifies one content of a document. */
export interface ContentKey {
  documentId: string;
  /** SHA-256 in hex. */
  contentHash: string;
}

/** A content of a document without its text. */
export interface StoredDocument extends ContentKey {
  title: string;
  url: string;
  language: string;
  groups: string[];
  attributes: Record<string, string>;
  chunkCount: number;
  length: number;
  updatedAtMs: number | undefined;
  indexedAtMs: number;
}

/** A document as it was read, before any overlay. */
export interface DocumentSource extends StoredDocument {
  placedIn: string;
  text: string;
  /** `undefined`: it was stored by a release that did not keep chunks. */
  chunks: readonly Chunk[] | undefined;
  /** As readers get it. */
  current: { title: string; text: string; isChanged: boolean };
}

/** Which ids of documents are listed. */
export interface IdSelection {
  /** Only ids after this one. */
  after: string;
  /** Only ids that start with this. */
  prefix: string;
  /** Only documents with a content whose id or title contains this; the case of ASCII letters does not matter. */
  search: string;
  limit: number;
}

/** Texts and metadata of documents, by content. The index decides which content is live. */
export interface DocumentStore {
  /** Stores contents of a job; they stay only if the job succeeds. */
  keep(scope: CorpusScope, jobId: string, documents: readonly PreparedDocument[], nowMs: number): Promise<void>;
  /** Returns the ids of those contents that are stored. */
  present(scope: CorpusScope, contents: readonly ContentKey[]): Promise<Set<string>>;
  /** Returns contents as they were read, before any overlay, by document id. */
  sources(scope: CorpusScope, contents: readonly ContentKey[]): Promise<Map<string, DocumentSource>>;
  find(scope: CorpusScope, content: ContentKey): Promise<(StoredDocument & { text: string }) | undefined>;
  /** Returns metadata of contents, by document id. */
  describe(scope: CorpusScope, contents: readonly ContentKey[]): Promise<Map<string, StoredDocument>>;
  /** Returns the ids, in order, of documents with a content that one of the groups may see. */
  listIds(scope: CorpusScope, groups: readonly string[], selection: IdSelection): Promise<string[]>;
  /** Returns the ids of documents whose id is a place in this file. */
  listPlacedIn(scope: CorpusScope, path: string): Promise<string[]>;
  /** Removes every content of documents. */
  remove(scope: CorpusScope, documentIds: readonly string[]): Promise<void>;
}

/** Returns a text with its ASCII letters in lower case, as both engines can compare it. */
export function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Rows that one statement writes or reads; SQLite accepts 32,766 values. */
export const rowsMax = 200;

/** Creates a store in the records database. */
export function createDocumentStore(db: Database<RecordsSchema>): DocumentStore {
  const contentsOf = (scope: CorpusScope, contents: readonly ContentKey[]) =>
    db
      .selectFrom('documents')
      .where('tenant', '=', scope.tenant)
      .where('corpus', '=', scope.corpus)
      .where((eb) =>
        eb(
          eb.refTuple('document_id', 'content_hash'),
          'in',
          contents.map(({ documentId, contentHash }) => eb.tuple(documentId, contentHash)),
        ),
      );
  return {
    async keep(scope, jobId, documents, nowMs) {
      if (documents.length === 0) return;
      const rows = documents.map((document) => toRow(scope, jobId, document, nowMs));
      const grants = documents.flatMap(({ documentId, contentHash, groups }) =>
        (groups.length === 0 ? [everyone] : [...new Set(groups)]).map((grp) => ({
          tenant: scope.tenant,
          corpus: scope.corpus,
          grp,
          document_id: documentId,
          content_hash: contentHash,
        })),
      );
      await db.transaction().execute(async (tx) => {
        for (const part of inParts(rows)) {
          await tx
            .insertInto('documents')
            .values(part)
            // The content is the same. It stays published if it was, and also belongs to the job.
            .onConflict((conflict) =>
              conflict.columns(['tenant', 'corpus', 'document_id', 'content_hash']).doUpdateSet({ job_id: jobId }),
            )
            .execute();
        }
        for (const part of inParts(grants)) {
          await tx
            .insertInto('document_groups')
            .values(part)
            .onConflict((conflict) => conflict.doNothing())
            .execute();
        }
      });
    },

    async present(scope, contents) {
      const ids = new Set<string>();
      for (const part of inParts(contents)) {
        for (const row of await contentsOf(scope, part).select('document_id').execute()) ids.add(row.document_id);
      }
      return ids;
    },

    async find(scope, content) {
      const row = await contentsOf(scope, [content]).selectAll().executeTakeFirst();
      return row && { ...toStored(row), text: row.text };
    },

    async sources(scope, contents) {
      const found = new Map<string, DocumentSource>();
      for (const part of inParts(contents)) {
        for (const row of await contentsOf(scope, part).selectAll().execute()) {
          found.set(row.document_id, toSource(row));
        }
      }
      return found;
    },

    async describe(scope, contents) {
      const found = new Map<string, StoredDocument>();
      for (const part of inParts(contents)) {
        const rows = await contentsOf(scope, part).select(facts).execute();
        for (const row of rows) found.set(row.document_id, toStored(row));
      }
      return found;
    },

    async listIds({ tenant, corpus }, groups, { after, prefix, search, limit }) {
      let query = db
        .selectFrom('document_groups')
        .select('document_id')
        .distinct()
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('grp', 'in', [...groups])
        .where('document_id', '>', after)
        .orderBy('document_id')
        .limit(limit);
      if (search !== '') {
        query = query.where(hasContentWith(search));
      }
      if (prefix !== '') {
        query = query.where('document_id', '>=', prefix).where('document_id', '<', `${prefix}\u{10ffff}`);
      }
      return (await query.execute()).map((row) => row.document_id);
    },

    async listPlacedIn({ tenant, corpus }, path) {
      const rows = await db
        .selectFrom('documents')
        .select('document_id')
        .distinct()
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('placed_in', '=', path)
        .where('placed_in', '<>', '')
        .execute();
      return rows.map((row) => row.document_id);
    },

    async remove({ tenant, corpus }, documentIds) {
      await db.transaction().execute(async (tx) => {
        for (const part of inParts(documentIds)) {
          for (const table of ['documents', 'document_groups'] as const) {
            await tx
              .deleteFrom(table)
              .where('tenant', '=', tenant)
              .where('corpus', '=', corpus)
              .where('document_id', 'in', [...part])
              .execute();
          }
        }
      });
    },
  };
}

/** The condition that a content of a document has a text in its id or title. */
function hasContentWith(search: string) {
  const pattern = `%${lowerAscii(search).replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
  return ({ exists, selectFrom }: ExpressionBuilder<RecordsSchema, 'document_groups'>) =>
    exists(
      selectFrom('documents')
        .select('documents.tenant')
        .whereRef('documents.tenant', '=', 'document_groups.tenant')
        .whereRef('documents.corpus', '=', 'document_groups.corpus')
        .whereRef('documents.document_id', '=', 'document_groups.document_id')
        .whereRef('documents.content_hash', '=', 'document_groups.content_hash')
        .where(
          sql<boolean>`(lower(documents.title) LIKE ${pattern} ESCAPE '\\' OR lower(documents.document_id) LIKE ${pattern} ESCAPE '\\')`,
        ),
    );
}

/** Yields values in parts that one statement accepts. */
export function* inParts<T>(values: readonly T[], size = rowsMax): Iterable<T[]> {
  for (let start = 0; start < values.length; start += size) yield values.slice(start, start + size);
}

const facts = [
  'document_id',
  'content_hash',
  'title',
  'url',
  'language',
  'groups',
  'attributes',
  'chunk_count',
  'length',
  'updated_at',
  'indexed_at',
] as const;

function toRow(
  scope: CorpusScope,
  jobId: string,
  document: PreparedDocument,
  nowMs: number,
): Insertable<DocumentTable> {
  return {
    tenant: scope.tenant,
    corpus: scope.corpus,
    document_id: document.documentId,
    content_hash: document.contentHash,
    title: document.title,
    url: document.url,
    language: document.language,
    groups: JSON.stringify(document.groups),
    attributes: JSON.stringify(document.attributes),
    chunk_count: document.chunks.length,
    length: document.text.length,
    updated_at: document.updatedAtMs ?? null,
    indexed_at: nowMs,
    placed_in: document.placedIn,
    job_id: jobId,
    is_published: 0,
    retired_at: null,
    text: document.text,
    chunks: JSON.stringify((document.source ?? document).chunks),
    source: document.source === undefined ? null : JSON.stringify([document.source.title, document.source.text]),
    original: null,
  };
}

function toSource(row: DocumentTable): DocumentSource {
  const [title, text] = row.source === null ? [row.title, row.text] : (JSON.parse(row.source) as [string, string]);
  const current = { title: row.title, text: row.text, isChanged: row.source !== null };
  const chunks = row.chunks === '' ? undefined : (JSON.parse(row.chunks) as Chunk[]);
  return { ...toStored(row), placedIn: row.placed_in, title, text, chunks, current };
}

function toStored(row: Pick<DocumentTable, (typeof facts)[number]>): StoredDocument {
  return {
    documentId: row.document_id,
    contentHash: row.content_hash,
    title: row.title,
    url: row.url,
    language: row.language,
    groups: JSON.parse(row.groups) as string[],
    attributes: JSON.parse(row.attributes) as Record<string, string>,
    chunkCount: row.chunk_count,
    length: row.length,
    updatedAtMs: row.updated_at ?? undefined,
    indexedAtMs: row.indexed_at,
  };
}
