import { fromJsonString, toJsonString } from '@bufbuild/protobuf';
import type { Transaction } from 'kysely';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type SourceSettings, SourceSettingsSchema } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { failedPrecondition, notFound } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { dueAtOf, firstState, next, type SyncEvent, type SyncState, wantedOf } from '../sync-state.ts';
import type { SourceRow, SourcesSchema } from './source-table.ts';

/** A source as it is stored. */
export interface SourceRecord {
  sourceId: string;
  tenant: string;
  /** Its settings; secrets by name. */
  settings: SourceSettings;
  /** Who created it, and the groups that this user had. */
  user: string;
  groups: readonly string[];
  createdAtMs: number;
  updatedAtMs: number;
  state: SyncState;
  /** Whether a replica has its lease. */
  isRunning: boolean;
}

/** A source to add. */
export type NewSource = Pick<SourceRecord, 'sourceId' | 'tenant' | 'settings' | 'user' | 'groups'>;

/** The exclusive right to run a source, until it expires. */
export interface SourceLease {
  source: SourceRecord;
  /** What a person asked for; `none` if the schedule did. */
  requested: SyncState['requested'];
  /** Fencing token, which also numbers the runs of a source; a later lease has a larger one. */
  fence: number;
  owner: string;
}

/** Another replica has the source: what this one still wants to write must have no effect. */
export class SourceLeaseLostError extends Error {
  override readonly name = 'SourceLeaseLostError';
}

export type SourceTransaction = Transaction<SourcesSchema>;

/** Sources of all tenants, and the leases by which replicas share them. */
export type SourceStore = ReturnType<typeof createSourceStore>;

/** Sources of a tenant. */
const sourcesMax = 1000;

/** Creates a store in a database. `clock`: now, in milliseconds since 1970; replicas agree on it within a fraction of a lease. */
export function createSourceStore(db: Database<SourcesSchema>, clock: () => number, leaseMs: number) {
  const isShared = engineOf(db) === 'postgres';
  const toRecord = (row: SourceRow): SourceRecord => ({
    sourceId: row.source_id,
    tenant: row.tenant,
    settings: fromJsonString(SourceSettingsSchema, row.settings),
    user: row.user,
    groups: JSON.parse(row.groups) as string[],
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    state: JSON.parse(row.state) as SyncState,
    isRunning: row.owner !== '' && row.lease_until > clock(),
  });
  const lock = (tx: SourceTransaction, sourceId: string) => lockRow(tx, sourceId, isShared);
  const write = async (tx: SourceTransaction, row: SourceRow, event: SyncEvent, more: Partial<SourceRow> = {}) => {
    const state = next(JSON.parse(row.state) as SyncState, event);
    const change = { ...more, state: JSON.stringify(state), due_at: dueAtOf(state) };
    await tx.updateTable('sources').set(change).where('source_id', '=', row.source_id).execute();
    return toRecord({ ...row, ...change });
  };
  /** Runs `work` in a transaction that has effect only while the lease holds; renews the lease. */
  const fenced = <T>(
    { source, owner, fence }: SourceLease,
    work: (tx: SourceTransaction, row: SourceRow) => Promise<T>,
  ) =>
    db.transaction().execute(async (tx) => {
      const row = await lock(tx, source.sourceId);
      if (row === undefined || row.owner !== owner || row.fence !== fence) {
        throw new SourceLeaseLostError(`the lease of the source ${source.sourceId} was lost`);
      }
      const lease_until = clock() + leaseMs;
      await tx.updateTable('sources').set({ lease_until }).where('source_id', '=', source.sourceId).execute();
      return work(tx, { ...row, lease_until });
    });

  return {
    fenced,

    /** Adds a source, which is due immediately. Throws FAILED_PRECONDITION if the name is in use. */
    async add(record: NewSource): Promise<SourceRecord> {
      const row = await db.transaction().execute((tx) => insertSource(tx, record, clock()));
      return toRecord(row);
    },

    /** Returns a source of a tenant. Throws NOT_FOUND. */
    async find(tenant: string, sourceId: string): Promise<SourceRecord> {
      const query = db.selectFrom('sources').selectAll().where('tenant', '=', tenant);
      const row = await query.where('source_id', '=', sourceId).executeTakeFirst();
      if (row === undefined) throw notFound('source', sourceId);
      return toRecord(row);
    },

    /** Returns sources of a tenant, or of all, in order of name. */
    async list(filter: { tenant?: string; afterName?: string; limit: number }): Promise<SourceRecord[]> {
      let query = db.selectFrom('sources').selectAll().orderBy('name').orderBy('source_id').limit(filter.limit);
      if (filter.tenant !== undefined) query = query.where('tenant', '=', filter.tenant);
      if (filter.afterName !== undefined) query = query.where('name', '>', filter.afterName);
      return (await query.execute()).map(toRecord);
    },

    /** Applies an event, and new settings if there are any. Throws NOT_FOUND. */
    async change(tenant: string, sourceId: string, event: SyncEvent, settings?: SourceSettings): Promise<SourceRecord> {
      return db.transaction().execute(async (tx) => {
        const row = await lock(tx, sourceId);
        if (row === undefined || row.tenant !== tenant) throw notFound('source', sourceId);
        if (settings === undefined) return write(tx, row, event);
        // Entries are read again: who may see them may have changed with the settings.
        await tx.updateTable('source_entries').set({ version: '' }).where('source_id', '=', sourceId).execute();
        const text = toJsonString(SourceSettingsSchema, settings);
        return write(tx, row, event, { settings: text, updated_at: clock() });
      });
    },

    /** Pauses a source and ends its lease: what a run in progress still wants to write has no effect. Throws NOT_FOUND. */
    seize: (tenant: string, sourceId: string): Promise<SourceRecord> =>
      db.transaction().execute(async (tx) => {
        const row = await lock(tx, sourceId);
        if (row === undefined || row.tenant !== tenant) throw notFound('source', sourceId);
        return write(tx, row, { kind: 'paused' }, { owner: '', lease_until: 0, fence: row.fence + 1 });
      }),

    /** Removes a source with all that is known of it; a run in progress loses its lease. */
    remove: (sourceId: string): Promise<void> =>
      db.transaction().execute(async (tx) => {
        await lock(tx, sourceId);
        await removeRows(tx, sourceId);
      }),

    /** Leases the source that has been due for longest; `undefined` if none is due. */
    async take(owner: string): Promise<SourceLease | undefined> {
      return db.transaction().execute(async (tx) => {
        const now = clock();
        const due = tx
          .selectFrom('sources')
          .selectAll()
          .where('due_at', '<=', now)
          .where('lease_until', '<=', now)
          .orderBy('due_at')
          .limit(1);
        const row = await (isShared ? due.forUpdate().skipLocked() : due).executeTakeFirst();
        if (row === undefined) return undefined;
        const requested = wantedOf(JSON.parse(row.state) as SyncState);
        const fence = row.fence + 1;
        const source = await write(
          tx,
          row,
          { kind: 'started', nowMs: now },
          { owner, fence, lease_until: now + leaseMs },
        );
        return { source, requested, fence, owner };
      });
    },

    /** Ends the leases of a process that is known to have ended. */
    async releaseAll(): Promise<void> {
      await db.updateTable('sources').set({ owner: '', lease_until: 0 }).execute();
    },

    /** Extends a lease. Returns the source as it is now. Throws SourceLeaseLostError. */
    renew: (lease: SourceLease): Promise<SourceRecord> => fenced(lease, async (_, row) => toRecord(row)),

    /** Applies an event under a lease. Throws SourceLeaseLostError. */
    advance: (lease: SourceLease, event: SyncEvent): Promise<SourceRecord> =>
      fenced(lease, (tx, row) => write(tx, row, event)),

    /** Applies an event and ends the lease, together with `also`. Throws SourceLeaseLostError. */
    end: (
      lease: SourceLease,
      event: SyncEvent,
      also: (tx: SourceTransaction) => Promise<void>,
    ): Promise<SourceRecord> =>
      fenced(lease, async (tx, row) => {
        await also(tx);
        return write(tx, row, event, { owner: '', lease_until: 0 });
      }),

    /** Returns since when a source is due that no replica runs, in milliseconds since 1970; `undefined` if there is none. */
    async waitingSinceMs(): Promise<number | undefined> {
      const now = clock();
      const due = db
        .selectFrom('sources')
        .where('due_at', '<=', now)
        .where('due_at', '>', 0)
        .where('lease_until', '<=', now);
      const row = await due.select(({ fn }) => fn.min('due_at').as('since')).executeTakeFirst();
      return row?.since ?? undefined;
    },
  };
}

const inUse = (message: string) => failedPrecondition(ErrorReason.JOB_STATE, message);

async function lockRow(tx: SourceTransaction, sourceId: string, isShared: boolean): Promise<SourceRow | undefined> {
  const query = tx.selectFrom('sources').selectAll().where('source_id', '=', sourceId);
  return (isShared ? query.forUpdate() : query).executeTakeFirst();
}

async function removeRows(tx: SourceTransaction, sourceId: string): Promise<void> {
  for (const table of ['source_entries', 'source_runs', 'sources'] as const) {
    await tx.deleteFrom(table).where('source_id', '=', sourceId).execute();
  }
}

async function insertSource(
  tx: SourceTransaction,
  { sourceId, tenant, settings, user, groups }: NewSource,
  now: number,
): Promise<SourceRow> {
  const mine = tx.selectFrom('sources').where('tenant', '=', tenant);
  const { count } = await mine.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  if (count >= sourcesMax) throw inUse(`a tenant has at most ${sourcesMax} sources: delete one first`);
  const state = firstState(now);
  const row = await tx
    .insertInto('sources')
    .values({
      ...{ source_id: sourceId, tenant, name: settings.name, corpus: settings.corpus, user },
      settings: toJsonString(SourceSettingsSchema, settings),
      groups: JSON.stringify(groups),
      ...{ created_at: now, updated_at: now, state: JSON.stringify(state), due_at: dueAtOf(state) },
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw inUse(`a source "${settings.name}" exists: use another name, or update that source`);
  return row;
}
