import { sql } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import type { AuditSchema, UsageTotalRow } from '../records/schema.ts';
import { totalAmounts } from './usage-totals.ts';

/** Days in UTC, YYYY-MM-DD: from the first one to before the last one. */
export interface Days {
  from: string;
  before: string;
}

/** A dimension of totals. */
export type Dimension = UsageTotalRow['dimension'];

type Amount = (typeof totalAmounts)[number];

/** The sum of a name in one currency. */
export type NamedTotal = Pick<UsageTotalRow, 'name' | 'currency' | Amount>;

/** The sum of a day. */
export type DayTotal = Pick<UsageTotalRow, 'period' | 'name' | 'currency' | Amount>;

/** Returns the sums of names, the most expensive first, then those with the most tokens. */
export async function sumByName(
  db: Database<AuditSchema>,
  { tenant, dimension, days }: { tenant: string; dimension: Dimension; days: Days },
  { limit, offset }: { limit: number; offset: number },
): Promise<NamedTotal[]> {
  const rows = await db
    .selectFrom('usage_totals')
    .select(['name', 'currency'])
    .select(totalAmounts.map((amount) => sumOf(amount)))
    .where('tenant', '=', tenant)
    .where('dimension', '=', dimension)
    .where('period', 'in', periodsOf(dimension, days))
    .groupBy(['name', 'currency'])
    .orderBy('cost_micros', 'desc')
    .orderBy(sql`SUM(prompt_tokens + completion_tokens)`, 'desc')
    .orderBy('name')
    .orderBy('currency')
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.map(toNumbers);
}

/** Returns the sums of days, of all names or of some. */
export async function sumByDay(
  db: Database<AuditSchema>,
  { tenant, dimension, days }: { tenant: string; dimension: Dimension; days: Days },
  names?: readonly string[],
): Promise<DayTotal[]> {
  // Single days and names are places in the key: a year of some users reads their rows only, and not those of all users.
  let query = db
    .selectFrom('usage_totals')
    .select(['period', 'currency'])
    .select(names === undefined ? sql<string>`''`.as('name') : 'name')
    .select(totalAmounts.map((amount) => sumOf(amount)))
    .where('tenant', '=', tenant)
    .where('dimension', '=', dimension)
    .where('period', 'in', daysOf(days.from, days.before))
    .groupBy(['period', 'currency'])
    .orderBy('period');
  if (names !== undefined) query = query.where('name', 'in', names).groupBy('name');
  return (await query.execute()).map(toNumbers);
}

function sumOf(amount: Amount) {
  return sql<number>`SUM(${sql.ref(amount)})`.as(amount);
}

/** PostgreSQL returns sums as text: they have more digits than a column. */
function toNumbers<Row extends Pick<UsageTotalRow, Amount>>(row: Row): Row {
  return { ...row, ...Object.fromEntries(totalAmounts.map((amount) => [amount, Number(row[amount])])) };
}

/** Returns the periods of totals that together are some days: whole months for users, and the days around them. */
export function periodsOf(dimension: Dimension, { from, before }: Days): string[] {
  if (dimension !== 'user') return daysOf(from, before);
  const firstMonth = from.endsWith('-01') ? from : nextMonth(from);
  const endMonth = `${before.slice(0, 7)}-01`;
  if (firstMonth >= endMonth) return daysOf(from, before);
  const months: string[] = [];
  for (let month = firstMonth; month < endMonth; month = nextMonth(month)) months.push(month.slice(0, 7));
  return [...daysOf(from, firstMonth), ...months, ...daysOf(endMonth, before)];
}

/** Returns the days from one to before another. */
function daysOf(from: string, before: string): string[] {
  const days: string[] = [];
  for (let day = from; day < before; day = nextDay(day)) days.push(day);
  return days;
}

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

function nextMonth(day: string): string {
  const [year, month] = [Number(day.slice(0, 4)), Number(day.slice(5, 7))];
  return new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 10);
}
