import { sql, type Transaction } from 'kysely';
import type { RecordRequest, UsageRow } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Database } from '#kit/database.ts';
import type { AuditSchema, UsageSumRow } from './schema.ts';

/** Most that one answer may add to a sum: a claim beyond it is nonsense, and sums stay exact far longer than ragmesh lives. */
const maxAmount = 2 ** 40;

/** What records add to the ledger, by tenant, day, model, user and currency. */
export function sumUsage(
  records: readonly { tenant: string; user: string; record: RecordRequest }[],
  nowMs: number,
): UsageSumRow[] {
  const sums = new Map<string, UsageSumRow>();
  for (const { tenant, user, record } of records) {
    const { model, usage } = record;
    const isCached = record.cacheLayer !== CacheLayer.UNSPECIFIED || usage?.fromCache === true;
    const spent = isCached ? undefined : usage;
    const by = { tenant, day: dayOf(nowMs), model, user, currency: usage?.currency ?? '' };
    const key = JSON.stringify(Object.values(by));
    const sum = sums.get(key) ?? {
      ...by,
      answer_count: 0,
      cached_count: 0,
      prompt_tokens: 0,
      completion_tokens: 0,
      cost_micros: 0,
    };
    sum.answer_count += 1;
    sum.cached_count += isCached ? 1 : 0;
    sum.prompt_tokens += toAmount(spent?.promptTokens);
    sum.completion_tokens += toAmount(spent?.completionTokens);
    sum.cost_micros += toAmount(spent?.costMicros);
    sums.set(key, sum);
  }
  return [...sums.values()];
}

/** Adds sums to those of the ledger. */
export function addUsage(trx: Transaction<AuditSchema>, rows: readonly UsageSumRow[]): Promise<unknown> {
  const amounts = ['answer_count', 'cached_count', 'prompt_tokens', 'completion_tokens', 'cost_micros'] as const;
  return trx
    .insertInto('usage')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['tenant', 'day', 'model', 'user', 'currency'])
        .doUpdateSet(
          Object.fromEntries(
            amounts.map((name) => [name, sql<number>`usage.${sql.ref(name)} + excluded.${sql.ref(name)}`]),
          ),
        ),
    )
    .execute();
}

/** Sums of a tenant over the UTC days that have a part in [fromMs, beforeMs), by day, model and user. */
export async function reportUsage(
  db: Database<AuditSchema>,
  tenant: string,
  fromMs: number | undefined,
  beforeMs: number | undefined,
): Promise<Omit<UsageRow, '$typeName'>[]> {
  let query = db.selectFrom('usage').selectAll().where('tenant', '=', tenant);
  if (fromMs !== undefined) query = query.where('day', '>=', dayOf(fromMs));
  if (beforeMs !== undefined) query = query.where('day', '<=', dayOf(beforeMs - 1));
  const rows = await query.orderBy('day').orderBy('model').orderBy('user').orderBy('currency').execute();
  return rows.map((row) => ({
    day: row.day,
    model: row.model,
    user: row.user,
    answerCount: BigInt(row.answer_count),
    cachedCount: BigInt(row.cached_count),
    promptTokens: BigInt(row.prompt_tokens),
    completionTokens: BigInt(row.completion_tokens),
    costMicros: BigInt(row.cost_micros),
    currency: row.currency,
  }));
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function toAmount(value: bigint | undefined): number {
  return Math.max(0, Math.min(Number(value ?? 0n), maxAmount));
}
