import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, notFound } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import { createSweepStore } from '../sweeps/sweep-store.ts';
import type { ErasureRow, HoldRow, PrivacySchema } from './schema.ts';

/** Erasures, legal holds and sweeps, as all processes see them. */
export type Records = ReturnType<typeof createRecords>;

/** Most holds of a tenant. */
const maxHolds = 1000;
/** Erasures that are returned to be resumed. */
const maxOpen = 100;

/** A place in the list of erasures. */
export interface ErasurePosition {
  /** Milliseconds since 1970. */
  requestedAt: number;
  id: string;
}

/** Creates the records. */
export function createRecords(db: Database<PrivacySchema>) {
  const find = (tenant: string, id: string): Promise<ErasureRow | undefined> =>
    db.selectFrom('erasures').selectAll().where('tenant', '=', tenant).where('id', '=', id).executeTakeFirst();
  return {
    ...createSweepStore(db),
    /** Adds an erasure; returns it, or the one that has its id. */
    async addErasure(row: ErasureRow): Promise<ErasureRow> {
      await db
        .insertInto('erasures')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return (await find(row.tenant, row.id)) ?? row;
    },
    /** Returns an erasure. Throws NOT_FOUND. */
    async getErasure(tenant: string, id: string): Promise<ErasureRow> {
      const row = await find(tenant, id);
      if (row === undefined) throw notFound('erasure', id);
      return row;
    },
    /** Returns erasures of a tenant, the latest first, after a position in that order. */
    async listErasures(tenant: string, after: ErasurePosition | undefined, limit: number): Promise<ErasureRow[]> {
      let query = db.selectFrom('erasures').selectAll().where('tenant', '=', tenant);
      if (after !== undefined) {
        query = query.where((eb) =>
          eb.or([
            eb('requested_at', '<', after.requestedAt),
            eb.and([eb('requested_at', '=', after.requestedAt), eb('id', '>', after.id)]),
          ]),
        );
      }
      return query.orderBy('requested_at', 'desc').orderBy('id').limit(limit).execute();
    },
    /** Returns erasures that have not finished and were asked for at or before a time. */
    async openErasures(requestedBefore: number): Promise<ErasureRow[]> {
      return db
        .selectFrom('erasures')
        .selectAll()
        .where('finished_at', 'is', null)
        .where('requested_at', '<=', requestedBefore)
        .orderBy('requested_at')
        .limit(maxOpen)
        .execute();
    },
    /** Writes what has been done of an erasure. Its end removes the name of its target, also from freed pages. */
    async saveErasure(row: ErasureRow): Promise<void> {
      const { tenant, id, done, target, finished_at } = row;
      await db
        .updateTable('erasures')
        .set({ done, target, finished_at })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
      if (finished_at !== null) await scrubDatabase(db);
    },
    /** Sets a hold. Throws FAILED_PRECONDITION if the tenant has too many. */
    async putHold(row: HoldRow): Promise<void> {
      const { count } = await db
        .selectFrom('holds')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('tenant', '=', row.tenant)
        .where('user', '!=', row.user)
        .executeTakeFirstOrThrow();
      if (Number(count) >= maxHolds) {
        const message = `the tenant has ${maxHolds} holds: release one, or hold the tenant`;
        throw failedPrecondition(ErrorReason.LEGAL_HOLD, message);
      }
      const { reason, set_by, set_at } = row;
      await db
        .insertInto('holds')
        .values(row)
        .onConflict((conflict) => conflict.columns(['tenant', 'user']).doUpdateSet({ reason, set_by, set_at }))
        .execute();
    },
    /** Ends a hold. Throws NOT_FOUND if there is none. */
    async releaseHold(tenant: string, user: string): Promise<void> {
      const removal = db.deleteFrom('holds').where('tenant', '=', tenant).where('user', '=', user);
      const removed = await removal.returning('user').execute();
      if (removed.length === 0) throw notFound('legal hold', user);
    },
    /** Returns the holds of a tenant, by user. */
    async listHolds(tenant: string): Promise<HoldRow[]> {
      return db.selectFrom('holds').selectAll().where('tenant', '=', tenant).orderBy('user').limit(maxHolds).execute();
    },
    /** Throws FAILED_PRECONDITION, reason LEGAL_HOLD, if a user or the tenant is held. An empty user: what belongs to no user. */
    async requireNoHold(tenant: string, user: string): Promise<void> {
      const held = await db
        .selectFrom('holds')
        .select('user')
        .where('tenant', '=', tenant)
        .where('user', 'in', ['', user])
        .limit(1)
        .executeTakeFirst();
      if (held === undefined) return;
      throw failedPrecondition(ErrorReason.LEGAL_HOLD, 'a legal hold keeps this: release it first');
    },
  };
}
