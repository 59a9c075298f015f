import type { ExpressionBuilder } from 'kysely';
import { newRow } from './entry-store.ts';
import type { SourceLease, SourceStore } from './source-store.ts';
import type { SourcesSchema } from './source-table.ts';

/** Who may see the entries of sources, as their places say. Entries whose access changes are read again. */
export type AccessStore = ReturnType<typeof createAccessStore>;

/** Creates a store over the leases of sources. What a run writes has effect only while its lease holds. */
export function createAccessStore({ fenced }: Pick<SourceStore, 'fenced'>) {
  return {
    /** Records who may see entries; returns how many of them changed. These are read again. */
    setAccess: (lease: SourceLease, accesses: ReadonlyMap<string, string>): Promise<number> =>
      fenced(lease, async (tx) => {
        let changedCount = 0;
        const { sourceId } = lease.source;
        for (const [id, access] of accesses) {
          const row = { ...newRow(lease, id), access, access_in: lease.fence };
          const [added] = await tx
            .insertInto('source_entries')
            .values(row)
            .onConflict((conflict) => conflict.doNothing())
            .returning('entry_id')
            .execute();
          if (added !== undefined) continue;
          const mine = tx.updateTable('source_entries').where('source_id', '=', sourceId).where('entry_id', '=', id);
          const isOther = ({ or, eb }: ExpressionBuilder<SourcesSchema, 'source_entries'>) =>
            or([eb('access', 'is', null), eb('access', '<>', access)]);
          const changed = await mine.where(isOther).set({ access, version: '' }).returning('entry_id').execute();
          await mine.set({ access_in: lease.fence }).execute();
          changedCount += changed.length;
        }
        return changedCount;
      }),

    /** Forgets who may see the entries that a complete pass has not named: no one may. Returns how many they are. */
    forgetAccess: (lease: SourceLease): Promise<number> =>
      fenced(lease, async (tx) => {
        const changed = await tx
          .updateTable('source_entries')
          .set({ access: null, version: '' })
          .where('source_id', '=', lease.source.sourceId)
          .where('access_in', '<', lease.fence)
          .where('access', 'is not', null)
          .returning('entry_id')
          .execute();
        return changed.length;
      }),
  };
}
