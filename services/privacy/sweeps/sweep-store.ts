import type { Database } from '#kit/storage/database.ts';
import type { PrivacySchema } from '../records/schema.ts';

/** When background work is due, and which process has the right to do it. */
export type SweepStore = ReturnType<typeof createSweepStore>;

/** Creates the store. Times are milliseconds since 1970; replicas agree on them within a fraction of a lease. */
export function createSweepStore(db: Database<PrivacySchema>) {
  const owned = (name: string, owner: string) =>
    db.updateTable('sweeps').where('name', '=', name).where('owner', '=', owner);
  return {
    /** Takes the right to do work that is due; of several processes one gets it. */
    async takeSweep(name: string, owner: string, nowMs: number, untilMs: number): Promise<boolean> {
      const taken = await db
        .insertInto('sweeps')
        .values({ name, owner, lease_until: untilMs, due_at: nowMs })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ owner, lease_until: untilMs })
            .where('sweeps.due_at', '<=', nowMs)
            .where('sweeps.lease_until', '<=', nowMs),
        )
        .returning('name')
        .execute();
      return taken.length > 0;
    },
    /** Extends a right; false if another process has taken it. */
    async renewSweep(name: string, owner: string, untilMs: number): Promise<boolean> {
      const renewed = await owned(name, owner).set({ lease_until: untilMs }).returning('name').execute();
      return renewed.length > 0;
    },
    /** Releases a right, if it is still this process's; the work is due again at a time. */
    async releaseSweep(name: string, owner: string, dueAtMs: number): Promise<void> {
      await owned(name, owner).set({ owner: '', lease_until: 0, due_at: dueAtMs }).execute();
    },
    /** Makes all work due. Only for a process that is alone with the database: what ran before has ended. */
    async forgetSweeps(): Promise<void> {
      await db.deleteFrom('sweeps').execute();
    },
  };
}
