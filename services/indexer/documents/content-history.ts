import type { ExpressionBuilder } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import type { RecordsSchema } from '../uploads/records.ts';
import { type ContentKey, type CorpusScope, inParts } from './document-store.ts';

/** Retired contents, sorted by which index versions still hold them. */
export interface RetiredContents {
  /** Held by no version: they are deleted. */
  dropped: readonly ContentKey[];
  /** Held by the live version after all: other contents of their documents are the retired ones. */
  live: readonly ContentKey[];
  /** Held by a version that can become live again: they are checked again some publishes later. */
  kept: readonly ContentKey[];
}

/**
 * Records which contents a job added and which contents are no longer live. A content is deleted once no version that can become
 * live again holds it.
 */
export interface ContentHistory {
  /** Ends a job that succeeded: keeps its contents and retires those that they replace. `version`: what it published, if anything. */
  commit(scope: CorpusScope, jobId: string, version: bigint | undefined): Promise<void>;
  /** Ends a job without a result: deletes the contents that only it added. */
  abandon(jobId: string): Promise<void>;
  /** Retires documents that the next publish leaves out. */
  retire(scope: CorpusScope, documentIds: readonly string[]): Promise<void>;
  /** Returns contents that were retired before the last `keptVersions` publishes. */
  listRetired(scope: CorpusScope, keptVersions: number, limit: number): Promise<ContentKey[]>;
  /** Returns the versions that were published last, the newest first. */
  listVersions(scope: CorpusScope, limit: number): Promise<bigint[]>;
  /** Deletes, restores or keeps retired contents. */
  resolve(scope: CorpusScope, contents: RetiredContents): Promise<void>;
}

type Db = Database<RecordsSchema>;

/** Creates a history in the records database. */
export function createContentHistory(db: Db): ContentHistory {
  return {
    commit: (scope, jobId, version) => db.transaction().execute((tx) => commit(tx, scope, jobId, version)),
    abandon: (jobId) => db.transaction().execute((tx) => abandon(tx, jobId)),

    async retire(scope, documentIds) {
      const ordinal = (await lastOrdinal(db, scope)) + 1;
      for (const part of inParts(documentIds)) await retireLive(db, scope, part, ordinal);
    },

    async listRetired(scope, keptVersions, limit) {
      const ordinal = await lastOrdinal(db, scope);
      const rows = await db
        .selectFrom('documents')
        .select(['document_id', 'content_hash'])
        .where('tenant', '=', scope.tenant)
        .where('corpus', '=', scope.corpus)
        .where('retired_at', '<=', ordinal - keptVersions + 1)
        .limit(limit)
        .execute();
      return rows.map((row) => ({ documentId: row.document_id, contentHash: row.content_hash }));
    },

    async listVersions({ tenant, corpus }, limit) {
      const rows = await db
        .selectFrom('publishes')
        .select('version')
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .orderBy('ordinal', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => BigInt(row.version));
    },

    resolve: (scope, contents) => db.transaction().execute((tx) => resolve(tx, scope, contents)),
  };
}

async function commit(tx: Db, scope: CorpusScope, jobId: string, version: bigint | undefined): Promise<void> {
  const { tenant, corpus } = scope;
  let ordinal = await lastOrdinal(tx, scope);
  const last = await tx
    .selectFrom('publishes')
    .select('version')
    .where('tenant', '=', tenant)
    .where('corpus', '=', corpus)
    .where('ordinal', '=', ordinal)
    .executeTakeFirst();
  if (version !== undefined && last?.version !== String(version)) {
    ordinal++;
    await tx
      .insertInto('publishes')
      .values({ tenant, corpus, ordinal, version: String(version) })
      .execute();
  }
  await tx
    .updateTable('documents')
    .set({ retired_at: ordinal })
    .where('tenant', '=', tenant)
    .where('corpus', '=', corpus)
    .where('retired_at', 'is', null)
    .where('job_id', '<>', jobId)
    .where('document_id', 'in', (eb) => eb.selectFrom('documents').select('document_id').where('job_id', '=', jobId))
    .execute();
  await tx
    .updateTable('documents')
    .set({ job_id: '', is_published: 1, retired_at: null })
    .where('job_id', '=', jobId)
    .execute();
}

async function abandon(tx: Db, jobId: string): Promise<void> {
  const added = await tx
    .selectFrom('documents')
    .select(['tenant', 'corpus', 'document_id', 'content_hash'])
    .where('job_id', '=', jobId)
    .where('is_published', '=', 0)
    .execute();
  for (const part of inParts(added)) {
    await tx
      .deleteFrom('document_groups')
      .where((eb) =>
        eb(
          eb.refTuple('tenant', 'corpus', 'document_id', 'content_hash'),
          'in',
          part.map((row) => eb.tuple(row.tenant, row.corpus, row.document_id, row.content_hash)),
        ),
      )
      .execute();
  }
  await tx.deleteFrom('documents').where('job_id', '=', jobId).where('is_published', '=', 0).execute();
  await tx.updateTable('documents').set({ job_id: '' }).where('job_id', '=', jobId).execute();
}

async function resolve(tx: Db, scope: CorpusScope, { dropped, live, kept }: RetiredContents): Promise<void> {
  const { tenant, corpus } = scope;
  const ordinal = await lastOrdinal(tx, scope);
  const setRetired = (contents: readonly ContentKey[], retiredAt: number | null) =>
    tx
      .updateTable('documents')
      .set({ retired_at: retiredAt })
      .where('tenant', '=', tenant)
      .where('corpus', '=', corpus)
      .where((eb) => eb(eb.refTuple('document_id', 'content_hash'), 'in', tuples(eb, contents)))
      .execute();
  for (const part of inParts(dropped)) {
    for (const table of ['documents', 'document_groups'] as const) {
      await tx
        .deleteFrom(table)
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where((eb) => eb(eb.refTuple('document_id', 'content_hash'), 'in', tuples(eb, part)))
        .execute();
    }
  }
  for (const part of inParts(kept)) await setRetired(part, ordinal);
  for (const part of inParts(live)) {
    const ids = part.map(({ documentId }) => documentId);
    await retireLive(tx, scope, ids, ordinal);
    await setRetired(part, null);
  }
}

/** Retires the live contents of documents at a publish. */
async function retireLive(db: Db, scope: CorpusScope, documentIds: string[], ordinal: number): Promise<void> {
  await db
    .updateTable('documents')
    .set({ retired_at: ordinal })
    .where('tenant', '=', scope.tenant)
    .where('corpus', '=', scope.corpus)
    .where('document_id', 'in', documentIds)
    .where('retired_at', 'is', null)
    .execute();
}

/** Returns the number of the last publish; 0 if there was none. */
async function lastOrdinal(db: Db, { tenant, corpus }: CorpusScope): Promise<number> {
  const row = await db
    .selectFrom('publishes')
    .select('ordinal')
    .where('tenant', '=', tenant)
    .where('corpus', '=', corpus)
    .orderBy('ordinal', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.ordinal ?? 0;
}

type Columns = ExpressionBuilder<RecordsSchema, 'documents' | 'document_groups'>;

function tuples(eb: Pick<Columns, 'tuple'>, contents: readonly ContentKey[]) {
  return contents.map(({ documentId, contentHash }) => eb.tuple(documentId, contentHash));
}
