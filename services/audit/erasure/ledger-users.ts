import type { Transaction } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import type { AuditSchema } from '../records/schema.ts';
import { addSums, places } from '../usage/usage-sums.ts';
import { addTotals, monthOf, negativeTotal, totalAmounts } from '../usage/usage-totals.ts';

/** Returns whether the ledger or its sums name a user. */
export async function isInLedger(db: Database<AuditSchema>, tenant: string, user: string): Promise<boolean> {
  for (const table of ['usage', 'ledger'] as const) {
    const found = await db
      .selectFrom(table)
      .select('tenant')
      .where('tenant', '=', tenant)
      .where('user', '=', user)
      .limit(1)
      .executeTakeFirst();
    if (found !== undefined) return true;
  }
  return false;
}

/** Replaces a user in the ledger and its sums by the subject, which no row has yet; returns the number of rows. What was spent stays. */
export async function forgetUser(
  trx: Transaction<AuditSchema>,
  tenant: string,
  user: string,
  subject: string,
): Promise<number> {
  let count = 0;
  for (const table of ['ledger', 'usage'] as const) {
    const changed = await trx
      .updateTable(table)
      .set({ user: subject })
      .where('tenant', '=', tenant)
      .where('user', '=', user)
      .executeTakeFirst();
    count += Number(changed.numUpdatedRows);
  }
  await trx
    .updateTable('usage_totals')
    .set({ name: subject })
    .where('tenant', '=', tenant)
    .where('dimension', '=', 'user')
    .where('name', '=', user)
    .execute();
  return count;
}

/** Rows of sums that one transaction changes. */
const rowsAtOnce = 500;

/** Removes the users of rows that are older; returns the number of rows. What was spent stays, without its user. */
export async function expireLedger(
  db: Database<AuditSchema>,
  tenant: string,
  beforeMs: number,
  heldUsers: readonly string[],
): Promise<number> {
  const held = ['', ...heldUsers];
  const changed = await db
    .updateTable('ledger')
    .set({ user: '' })
    .where('tenant', '=', tenant)
    .where('requested_at', '<', beforeMs)
    .where('user', 'not in', held)
    .executeTakeFirst();
  let count = Number(changed.numUpdatedRows);
  const day = new Date(beforeMs).toISOString().slice(0, 10);
  for (;;) {
    const moved = await db.transaction().execute(async (trx) => {
      const rows = await trx
        .selectFrom('usage')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('day', '<', day)
        .where('user', 'not in', held)
        .limit(rowsAtOnce)
        .execute();
      for (const row of rows) {
        await trx
          .deleteFrom('usage')
          .where((eb) => eb.and(places.map((name) => eb(name, '=', row[name]))))
          .execute();
      }
      await addSums(
        trx,
        rows.map((row) => ({ ...row, user: '' })),
      );
      return rows.length;
    });
    count += moved;
    if (moved < rowsAtOnce) break;
  }
  while ((await forgetTotals(db, tenant, day, held)) === rowsAtOnce);
  return count;
}

/** Removes the users of some totals of days before `day`, also from their months; returns how many. */
async function forgetTotals(
  db: Database<AuditSchema>,
  tenant: string,
  day: string,
  held: readonly string[],
): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const ofUsers = () => trx.selectFrom('usage_totals').where('tenant', '=', tenant).where('dimension', '=', 'user');
    const rows = await ofUsers()
      .selectAll()
      .where('period', '<', day)
      .where((eb) => eb(eb.fn('length', ['period']), '=', day.length))
      .where('name', 'not in', held)
      .limit(rowsAtOnce)
      .execute();
    const nameless = rows.map((row) => ({ ...row, name: '' }));
    const monthly = [...rows.map(negativeTotal), ...nameless].map((row) => ({ ...row, period: monthOf(row.period) }));
    await addTotals(trx, [...rows.map(negativeTotal), ...nameless, ...monthly]);
    await trx
      .deleteFrom('usage_totals')
      .where('tenant', '=', tenant)
      .where('dimension', '=', 'user')
      .where('name', 'not in', held)
      .where((eb) => eb.and(totalAmounts.map((amount) => eb(amount, '=', 0))))
      .execute();
    return rows.length;
  });
}
