import type { Database } from '#kit/storage/database.ts';
import { accessListOf } from '../convert.ts';
import { maySee } from '../jobs/rights.ts';
import type { DeletionTable, RecordsSchema } from '../uploads/records.ts';
import { type CorpusScope, inParts } from './document-store.ts';

/** A requested deletion. It is durable before anything is deleted, so that it is completed after any interruption. */
export interface Deletion extends CorpusScope {
  /** Id of the deletion. */
  deletion: string;
  /** Caller who requested it. */
  user: string;
  /** Groups of the caller; `undefined` if an earlier release recorded the deletion. */
  groups: readonly string[] | undefined;
  documentIds: readonly string[];
  /** Sequence of the last job before the deletion. That job and earlier ones must not add the documents again. */
  afterSequence: number;
}

/** Deletions in progress, and finished ones that jobs still need. */
export interface DeletionStore {
  begin(deletion: Deletion): Promise<void>;
  finish(deletion: string): Promise<void>;
  /** Returns deletions that were begun and not finished. */
  listOpen(): Promise<Deletion[]>;
  /** Returns documents that were deleted after a job was queued. */
  listFor(scope: CorpusScope, jobSequence: number): Promise<Deleted>;
  /** Removes finished deletions that no job needs. `oldestSequence`: the oldest job that may still run. */
  prune(scope: CorpusScope, oldestSequence: number): Promise<void>;
}

/** Callers who have deleted a document, by its id. */
export type Deleted = ReadonlyMap<string, readonly Pick<Deletion, 'tenant' | 'user' | 'groups'>[]>;

/**
 * Reports whether a job must leave out a document with these groups. A deletion does not apply to a document that its caller may
 * not see. Otherwise any caller could block an id that is not yet in the index by guessing it.
 */
export function isDeleted(deleted: Deleted, documentId: string, groups: readonly string[]): boolean {
  const callers = deleted.get(documentId) ?? [];
  return callers.some(({ groups: own, ...caller }) =>
    own === undefined ? true : maySee({ ...caller, groups: own }, accessListOf(groups)),
  );
}

const toGroups = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as string[]));

/** Creates a store in the records database. */
export function createDeletionStore(db: Database<RecordsSchema>): DeletionStore {
  return {
    begin: ({ deletion, tenant, user, groups, corpus, documentIds, afterSequence }) =>
      db.transaction().execute(async (tx) => {
        for (const part of inParts([...new Set(documentIds)])) {
          const rows = part.map(
            (documentId): DeletionTable => ({
              deletion,
              tenant,
              user,
              groups: groups === undefined ? null : JSON.stringify(groups),
              corpus,
              document_id: documentId,
              after_sequence: afterSequence,
              is_done: 0,
            }),
          );
          await tx.insertInto('deletions').values(rows).execute();
        }
      }),

    async finish(deletion) {
      await db.updateTable('deletions').set({ is_done: 1 }).where('deletion', '=', deletion).execute();
    },

    async listOpen() {
      const rows = await db.selectFrom('deletions').selectAll().where('is_done', '=', 0).limit(50_000).execute();
      const byId = Map.groupBy(rows, (row) => row.deletion);
      return [...byId].map(([deletion, [first, ...others]]) => {
        const { tenant, user, groups, corpus, after_sequence } = first as DeletionTable;
        const documentIds = [first as DeletionTable, ...others].map((row) => row.document_id);
        return { deletion, tenant, user, groups: toGroups(groups), corpus, documentIds, afterSequence: after_sequence };
      });
    },

    async listFor({ tenant, corpus }, jobSequence) {
      const rows = await db
        .selectFrom('deletions')
        .select(['document_id', 'tenant', 'user', 'groups'])
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('after_sequence', '>=', jobSequence)
        .execute();
      const byId = Map.groupBy(rows, (row) => row.document_id);
      return new Map(
        [...byId].map(([documentId, found]) => [
          documentId,
          found.map(({ tenant, user, groups }) => ({ tenant, user, groups: toGroups(groups) })),
        ]),
      );
    },

    async prune({ tenant, corpus }, oldestSequence) {
      await db
        .deleteFrom('deletions')
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('is_done', '=', 1)
        .where('after_sequence', '<', oldestSequence)
        .execute();
    },
  };
}
