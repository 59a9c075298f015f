import { inParts } from '../../documents/document-store.ts';
import { newRow } from './entry-store.ts';
import type { SourceLease, SourceStore } from './source-store.ts';

/** Who may see the entries of sources, as their places say. Entries whose access changes are read again. */
export type AccessStore = ReturnType<typeof createAccessStore>;

/** Rows of one statement. */
const rowsMax = 500;

/** Creates a store over the leases of sources. What a run writes has effect only while its lease holds. */
export function createAccessStore({ fenced }: Pick<SourceStore, 'fenced'>) {
  return {
    /** Records who may see entries; returns how many of them changed. These are read again. */
    setAccess: (lease: SourceLease, accesses: ReadonlyMap<string, string>): Promise<number> =>
      fenced(lease, async (tx) => {
        const { sourceId } = lease.source;
        const mine = tx.updateTable('source_entries').where('source_id', '=', sourceId);
        for (const part of inParts([...accesses], rowsMax)) {
          const rows = part.map(([id, access]) => ({ ...newRow(lease, id), access }));
          await tx
            .insertInto('source_entries')
            .values(rows)
            .onConflict((conflict) => conflict.doNothing())
            .execute();
          const ids = part.map(([id]) => id);
          await mine.where('entry_id', 'in', ids).set({ access_in: lease.fence }).execute();
        }
        let changedCount = 0;
        // Many entries have the same access.
        for (const [access, ids] of byAccess(accesses)) {
          for (const part of inParts(ids, rowsMax)) {
            const changed = await mine
              .where('entry_id', 'in', part)
              .where(({ or, eb }) => or([eb('access', 'is', null), eb('access', '<>', access)]))
              .set({ access, version: '' })
              .returning('entry_id')
              .execute();
            changedCount += changed.length;
          }
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

/** Returns the ids of each access. */
function byAccess(accesses: ReadonlyMap<string, string>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [id, access] of accesses) {
    const ids = found.get(access);
    if (ids === undefined) found.set(access, [id]);
    else ids.push(id);
  }
  return found;
}
