import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import { inParts } from '../../documents/document-store.ts';
import { agreeingListings } from '../sync-state.ts';
import type { SourceLease, SourceStore, SourceTransaction } from './source-store.ts';
import type { EntryRow, SourcesSchema } from './source-table.ts';

/** What a run has found out about an entry. */
export interface ReadEntry {
  id: string;
  version: string;
  validator: string;
}

/** What a run writes of an entry, or removes if there is no `contentHash`. */
export interface WrittenEntry extends ReadEntry {
  contentHash: string;
  writtenAccess: string | null;
}

/** Counts after a complete listing. */
export interface ListingCounts {
  entryCount: number;
  /** Entries that enough listings lacked. */
  confirmedCount: number;
}

/** What is known of the entries of sources: the durable list of what is still to be read, written and removed. */
export type EntryStore = ReturnType<typeof createEntryStore>;

/** Version of an entry that was read and whose listing has none. */
export const readVersion = '-';
/** Rows of one statement. */
const rowsMax = 500;

/** Creates a store in a database. What a run writes has effect only while its lease holds. */
export function createEntryStore(db: Database<SourcesSchema>, { fenced }: Pick<SourceStore, 'fenced'>) {
  const entriesOf = (sourceId: string) => db.selectFrom('source_entries').where('source_id', '=', sourceId);
  const isConfirmed = (eb: ExpressionBuilder<SourcesSchema, 'source_entries'>): Expression<SqlBool> =>
    eb.and([eb('missing_count', '>=', agreeingListings), eb('is_removing', '=', 0)]);

  return {
    /** Returns what is known of entries, by id. */
    async known(sourceId: string, ids: readonly string[]): Promise<Map<string, EntryRow>> {
      const found = new Map<string, EntryRow>();
      for (const part of inParts(ids, rowsMax)) {
        const rows = await entriesOf(sourceId).selectAll().where('entry_id', 'in', part).execute();
        for (const row of rows) found.set(row.entry_id, row);
      }
      return found;
    },

    /** Returns entries that must be read, in order of id. */
    unread: (sourceId: string, afterId: string, limit: number): Promise<EntryRow[]> =>
      entriesOf(sourceId)
        .selectAll()
        .where('version', '=', '')
        .where('missing_count', '<', agreeingListings)
        .where('entry_id', '>', afterId)
        .orderBy('entry_id')
        .limit(limit)
        .execute(),

    /** Returns entries that enough listings lacked and that are not being removed, in order of id. */
    async confirmed(sourceId: string, afterId: string, limit: number): Promise<string[]> {
      const query = entriesOf(sourceId).select('entry_id').where(isConfirmed).where('entry_id', '>', afterId);
      return (await query.orderBy('entry_id').limit(limit).execute()).map((row) => row.entry_id);
    },

    async count(sourceId: string): Promise<number> {
      const query = entriesOf(sourceId).select(({ fn }) => fn.countAll<number>().as('count'));
      return (await query.executeTakeFirstOrThrow()).count;
    },

    /** Returns the jobs whose end is not recorded yet. */
    async openJobs(sourceId: string): Promise<string[]> {
      const rows = await entriesOf(sourceId).select('job_id').distinct().where('job_id', '<>', '').execute();
      return rows.map((row) => row.job_id);
    },

    /** Returns the ids of all entries that the corpus may have, in order. */
    async listIds(sourceId: string, afterId: string, limit: number): Promise<string[]> {
      const query = entriesOf(sourceId).select('entry_id').where('entry_id', '>', afterId);
      return (await query.orderBy('entry_id').limit(limit).execute()).map((row) => row.entry_id);
    },

    /** Records that entries exist; those of `unread` must be read. One that is being removed is read again. */
    see: (lease: SourceLease, ids: readonly string[], unread: ReadonlySet<string>): Promise<void> =>
      fenced(lease, (tx) => see(tx, lease, ids, unread)),

    /** Records entries whose content the corpus has already, or that hold none. */
    read: (lease: SourceLease, entries: readonly ReadEntry[]): Promise<void> =>
      fenced(lease, async (tx) => {
        for (const { id, version, validator } of entries) {
          await tx
            .updateTable('source_entries')
            .set({ version, validator })
            .where('source_id', '=', lease.source.sourceId)
            .where('entry_id', '=', id)
            .execute();
        }
      }),

    /** Records what a job writes and removes, before the job is added: a job that never was is found by {@link settle}. */
    write: (
      lease: SourceLease,
      jobId: string,
      entries: readonly WrittenEntry[],
      removedIds: readonly string[],
    ): Promise<void> =>
      fenced(lease, async (tx) => {
        const mine = tx.updateTable('source_entries').where('source_id', '=', lease.source.sourceId);
        for (const { id, version, validator, contentHash, writtenAccess } of entries) {
          const change = {
            version,
            validator,
            content_hash: contentHash,
            written_access: writtenAccess,
            job_id: jobId,
          };
          await mine.where('entry_id', '=', id).set(change).execute();
        }
        for (const part of inParts(removedIds, rowsMax)) {
          await mine.where('entry_id', 'in', part).set({ job_id: jobId, is_removing: 1 }).execute();
        }
      }),

    /** Records the end of a job. What a failed job would have written is read again. */
    settle: (lease: SourceLease, jobId: string, hasSucceeded: boolean): Promise<void> =>
      fenced(lease, (tx) => settle(tx, lease, jobId, hasSucceeded)),

    /** Counts a complete listing for all entries that the run has not seen. */
    countMissing: (lease: SourceLease): Promise<ListingCounts> =>
      fenced(lease, async (tx) => {
        const { sourceId } = lease.source;
        await tx
          .updateTable('source_entries')
          .set({ missing_count: sql`missing_count + 1` })
          .where('source_id', '=', sourceId)
          .where('seen_in', '<', lease.fence)
          .execute();
        const all = tx.selectFrom('source_entries').where('source_id', '=', sourceId);
        const count = async (query: typeof all) =>
          (await query.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow()).count;
        return {
          entryCount: await count(all.where('is_removing', '=', 0)),
          confirmedCount: await count(all.where(isConfirmed)),
        };
      }),
  };
}

/** Returns the row of an entry of which nothing but its id is known. */
export function newRow({ source, fence }: SourceLease, id: string): EntryRow {
  return {
    ...{ source_id: source.sourceId, entry_id: id, version: '', validator: '', content_hash: '', access: null },
    ...{ seen_in: fence - 1, access_in: 0, missing_count: 0, job_id: '', is_removing: 0, written_access: null },
  };
}

async function see(
  tx: SourceTransaction,
  lease: SourceLease,
  ids: readonly string[],
  unread: ReadonlySet<string>,
): Promise<void> {
  for (const part of inParts([...new Set(ids)], rowsMax)) {
    const rows = part.map((id) => ({ ...newRow(lease, id), seen_in: lease.fence }));
    await tx
      .insertInto('source_entries')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const mine = tx.updateTable('source_entries').where('source_id', '=', lease.source.sourceId);
    const removing = mine.where('entry_id', 'in', part).where('is_removing', '=', 1);
    await removing.set({ version: '', content_hash: '', written_access: null, job_id: '', is_removing: 0 }).execute();
    await mine.where('entry_id', 'in', part).set({ seen_in: lease.fence, missing_count: 0 }).execute();
    const changed = part.filter((id) => unread.has(id));
    if (changed.length > 0) await mine.where('entry_id', 'in', changed).set({ version: '' }).execute();
  }
}

async function settle(tx: SourceTransaction, lease: SourceLease, jobId: string, hasSucceeded: boolean): Promise<void> {
  const { sourceId } = lease.source;
  if (hasSucceeded) {
    const removed = tx.deleteFrom('source_entries').where('source_id', '=', sourceId).where('job_id', '=', jobId);
    await removed.where('is_removing', '=', 1).execute();
  }
  const lost = hasSucceeded ? {} : { version: '', content_hash: '', written_access: null };
  const mine = tx.updateTable('source_entries').where('source_id', '=', sourceId).where('job_id', '=', jobId);
  await mine
    .where('is_removing', '=', 0)
    .set({ job_id: '', ...lost })
    .execute();
  await mine.where('is_removing', '=', 1).set({ job_id: '', is_removing: 0 }).execute();
}
