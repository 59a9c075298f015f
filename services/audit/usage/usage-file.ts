import { type SqlBool, sql } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import type { AuditSchema } from '../records/schema.ts';
import { type DayUsage, focusColumns, focusRow, isCharge } from './focus.ts';
import type { Days } from './usage-pages.ts';

/** Rows of one read, and of one part of a file. */
const rowsAtOnce = 1000;

const csvColumns = [
  'day',
  'model',
  'user',
  'answers',
  'cached',
  'prompt_tokens',
  'completion_tokens',
  'cost',
  'currency',
  'api_key',
  'cost_centre',
];

/** Yields the usage of some days as lines of CSV, the header first: by day, model, user, API key and cost centre, or in the columns of FOCUS. */
export async function* writeUsage(
  db: Database<AuditSchema>,
  tenant: string,
  days: Days,
  isFocus: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield `${(isFocus ? focusColumns : csvColumns).join(',')}\n`;
  for await (const rows of readUsage(db, tenant, days)) {
    signal.throwIfAborted();
    const lines = isFocus ? rows.filter(isCharge).map((row) => focusCells(tenant, row)) : rows.map(csvRow);
    if (lines.length > 0) yield lines.map((cells) => `${cells.map(toCsv).join(',')}\n`).join('');
  }
}

function focusCells(tenant: string, row: DayUsage): string[] {
  const cells = focusRow(tenant, row);
  return focusColumns.map((column) => cells[column]);
}

/** Yields the usage of some days in the order of their primary key. */
async function* readUsage(db: Database<AuditSchema>, tenant: string, days: Days): AsyncGenerator<DayUsage[]> {
  const order = ['day', 'model', 'user', 'key_id', 'cost_centre', 'currency'] as const;
  let after: Record<(typeof order)[number], string> | undefined;
  for (;;) {
    let query = db.selectFrom('usage').selectAll().where('tenant', '=', tenant).where('day', '<', days.before);
    if (after === undefined) query = query.where('day', '>=', days.from);
    else {
      const row = after;
      query = query.where(
        sql<SqlBool>`(${sql.join(order.map((name) => sql.ref(name)))}) > (${sql.join(order.map((name) => row[name]))})`,
      );
    }
    for (const column of order) query = query.orderBy(column);
    const rows = await query.limit(rowsAtOnce).execute();
    if (rows.length > 0) {
      yield rows.map((row) => ({
        ...{ day: row.day, model: row.model, user: row.user, currency: row.currency },
        ...{ key: row.key_id, costCentre: row.cost_centre },
        ...{ answerCount: BigInt(row.answer_count), cachedCount: BigInt(row.cached_count) },
        ...{ promptTokens: BigInt(row.prompt_tokens), completionTokens: BigInt(row.completion_tokens) },
        costMicros: BigInt(row.cost_micros),
      }));
    }
    after = rows.at(-1);
    if (rows.length < rowsAtOnce) return;
  }
}

function csvRow({
  day,
  model,
  user,
  answerCount,
  cachedCount,
  promptTokens,
  completionTokens,
  costMicros,
  currency,
  key,
  costCentre,
}: DayUsage) {
  const counts = [answerCount, cachedCount, promptTokens, completionTokens].map(String);
  return [day, model, user, ...counts, (Number(costMicros) / 1e6).toFixed(6), currency, key, costCentre];
}

/** Returns a cell of CSV (RFC 4180). One that a spreadsheet would take as a formula gets an apostrophe. */
function toCsv(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
