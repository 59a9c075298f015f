import { sql, type Transaction } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import type { AuditSchema, UsageSumRow, UsageTotalRow } from '../records/schema.ts';

// Totals by day and one dimension, so that a page over a year reads some hundred rows and not the ledger. Users are many: they have totals
// of months as well.

/** What one record changes in the sums. */
export interface UsageChange extends UsageSumRow {
  /** What the model was called for; empty: not known. */
  purpose: string;
  call_count: number;
  /** What an answer from the cache would have used. */
  saved_tokens: number;
  saved_micros: number;
}

/** The amounts of a total. */
export const totalAmounts = [
  ...(['call_count', 'answer_count', 'cached_count', 'prompt_tokens', 'completion_tokens'] as const),
  ...(['cost_micros', 'saved_tokens', 'saved_micros'] as const),
] as const;

type Amounts = Pick<UsageTotalRow, (typeof totalAmounts)[number]>;

/** Returns the month of a day: YYYY-MM. */
export function monthOf(day: string): string {
  return day.slice(0, 7);
}

/** Returns the totals to which a change adds. */
export function totalsOf(change: UsageChange): UsageTotalRow[] {
  const { tenant, day, model, user, purpose, key_id: key, cost_centre: centre, currency } = change;
  const amounts = pickAmounts(change);
  const shared = { tenant, period: day, currency, ...amounts };
  return [
    { ...shared, dimension: 'model', name: model },
    { ...shared, dimension: 'purpose', name: purpose },
    { ...shared, dimension: 'user', name: user },
    { ...shared, dimension: 'user', name: user, period: monthOf(day) },
    ...(key === '' ? [] : [{ ...shared, dimension: 'key' as const, name: key }]),
    ...(centre === '' ? [] : [{ ...shared, dimension: 'cost_centre' as const, name: centre }]),
    { ...shared, dimension: 'tenant', name: tenant, tenant: '' },
  ];
}

/** Returns the total that removes another one. */
export function negativeTotal(row: UsageTotalRow): UsageTotalRow {
  const negative = Object.fromEntries(totalAmounts.map((name) => [name, -row[name]])) as unknown as Amounts;
  return { ...row, ...negative };
}

/** Adds to the totals. The tenants of the changes are locked by the caller, as for all that a batch writes. */
export async function addTotals(trx: Transaction<AuditSchema>, changes: readonly UsageTotalRow[]): Promise<void> {
  const rows = new Map<string, UsageTotalRow>();
  for (const change of changes) {
    const { tenant, dimension, period, name, currency } = change;
    const place = JSON.stringify([tenant, dimension, period, name, currency]);
    const known = rows.get(place);
    if (known === undefined) rows.set(place, { tenant, dimension, period, name, currency, ...pickAmounts(change) });
    else for (const amount of totalAmounts) known[amount] += change[amount];
  }
  await insertTotals(trx, [...rows.values()]);
}

const insertTotals = createInsert((db: Database<AuditSchema>, row: UsageTotalRow) =>
  db
    .insertInto('usage_totals')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['tenant', 'dimension', 'period', 'name', 'currency'])
        .doUpdateSet(
          Object.fromEntries(
            totalAmounts.map((name) => [name, sql<number>`usage_totals.${sql.ref(name)} + excluded.${sql.ref(name)}`]),
          ),
        ),
    ),
);

function pickAmounts(row: Amounts): Amounts {
  return Object.fromEntries(totalAmounts.map((name) => [name, row[name]])) as unknown as Amounts;
}
