import type { ExpressionBuilder } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import type { RecordsSchema } from '../uploads/records.ts';
import { type ContentKey, type CorpusScope, inParts } from './document-store.ts';

/** What retired contents are by the word of the index. */
export interface Verdicts {
  /** No version holds them: they go. */
  dropped: readonly ContentKey[];
  /** The live version holds them after all: others of their documents are the retired ones. */
  live: readonly ContentKey[];
  /** A version that can become live again holds them: they are looked at again some publishes later. */
  kept: readonly ContentKey[];
}

/**
 * Which contents a job brought, and which are not live any more: a content is dropped once no version that can become live
 * again holds it.
 */
export interface ContentHistory {
  /** The job is done: its contents stay, and the ones that they replace are retired. `version`: what it published, if it did. */
  settle(scope: CorpusScope, jobId: string, version: bigint | undefined): Promise<void>;
  /** The job came to nothing: contents that only it brought are gone. */
  abandon(jobId: string): Promise<void>;
  /** The next publish leaves these documents out. */
  retire(scope: CorpusScope, documentIds: readonly string[]): Promise<void>;
  /** Contents that were retired so long ago that none of the last `keptVersions` should hold them. */
  listRetired(scope: CorpusScope, keptVersions: number, limit: number): Promise<ContentKey[]>;
  /** Versions that were published last, the newest first. */
  listVersions(scope: CorpusScope, limit: number): Promise<bigint[]>;
  /** Takes note of what retired contents turned out to be. */
  resolve(scope: CorpusScope, verdicts: Verdicts): Promise<void>;
}

/** The history in the records database. */
export function createContentHistory(db: Database<RecordsSchema>): ContentHistory {
  const lastOrdinal = async ({ tenant, corpus }: CorpusScope, from: Pick<typeof db, 'selectFrom'> = db) => {
    const row = await from
      .selectFrom('publishes')
      .select('ordinal')
      .where('tenant', '=', tenant)
      .where('corpus', '=', corpus)
      .orderBy('ordinal', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row?.ordinal ?? 0;
  };

  return {
    settle: ({ tenant, corpus }, jobId, version) =>
      db.transaction().execute(async (tx) => {
        let ordinal = await lastOrdinal({ tenant, corpus }, tx);
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
          .where('document_id', 'in', (eb) =>
            eb.selectFrom('documents').select('document_id').where('job_id', '=', jobId),
          )
          .execute();
        await tx
          .updateTable('documents')
          .set({ job_id: '', is_published: 1, retired_at: null })
          .where('job_id', '=', jobId)
          .execute();
      }),

    abandon: (jobId) =>
      db.transaction().execute(async (tx) => {
        const brought = await tx
          .selectFrom('documents')
          .select(['tenant', 'corpus', 'document_id', 'content_hash'])
          .where('job_id', '=', jobId)
          .where('is_published', '=', 0)
          .execute();
        for (const part of inParts(brought)) {
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
      }),

    async retire(scope, documentIds) {
      const ordinal = (await lastOrdinal(scope)) + 1;
      for (const part of inParts(documentIds)) {
        await db
          .updateTable('documents')
          .set({ retired_at: ordinal })
          .where('tenant', '=', scope.tenant)
          .where('corpus', '=', scope.corpus)
          .where('document_id', 'in', part)
          .where('retired_at', 'is', null)
          .execute();
      }
    },

    async listRetired(scope, keptVersions, limit) {
      const ordinal = await lastOrdinal(scope);
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

    resolve: (scope, { dropped, live, kept }) =>
      db.transaction().execute(async (tx) => {
        const { tenant, corpus } = scope;
        const ordinal = await lastOrdinal(scope, tx);
        const retire = (contents: readonly ContentKey[], retiredAt: number | null) =>
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
        for (const part of inParts(kept)) await retire(part, ordinal);
        for (const part of inParts(live)) {
          const ids = part.map(({ documentId }) => documentId);
          await tx
            .updateTable('documents')
            .set({ retired_at: ordinal })
            .where('tenant', '=', tenant)
            .where('corpus', '=', corpus)
            .where('document_id', 'in', ids)
            .where('retired_at', 'is', null)
            .execute();
          await retire(part, null);
        }
      }),
  };
}

type Columns = ExpressionBuilder<RecordsSchema, 'documents' | 'document_groups'>;

function tuples(eb: Pick<Columns, 'tuple'>, contents: readonly ContentKey[]) {
  return contents.map(({ documentId, contentHash }) => eb.tuple(documentId, contentHash));
}
