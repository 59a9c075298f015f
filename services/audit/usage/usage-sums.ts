import { sql, type Transaction } from 'kysely';
import type { RecordRequest, RecordUsageRequest, UsageRow } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import type { AuditSchema, UsageSumRow } from '../records/schema.ts';
import { addTotals, totalsOf, type UsageChange } from './usage-totals.ts';

// Sums of usage, as the report shows them: answers are counted by their entries, tokens and money by the ledger. An answer of which
// the ledger has nothing counts by its own usage until the ledger has something. So nothing is counted twice, in whatever order the
// two arrive, and usage that never reaches the ledger is not lost.

/** Most that one answer adds to a sum: a larger amount is an error, and below it sums stay exact. */
const maxAmount = 2 ** 40;

const nothing = { answer_count: 0, cached_count: 0, prompt_tokens: 0, completion_tokens: 0, cost_micros: 0 };

/** What an entry does not say of its answer: only the ledger knows by which key it was called, and who pays. */
const ofAnswers = { purpose: 'answer', key_id: '', cost_centre: '' };

const notCalled = { call_count: 0, saved_tokens: 0, saved_micros: 0 };

/** An entry, as sums count it. */
export interface CountedAnswer {
  tenant: string;
  user: string;
  record: RecordRequest;
  recordedAt: number;
}

/** A request of the ledger, as sums count it. */
export interface CountedRequest {
  tenant: string;
  user: string;
  key: string;
  request: RecordUsageRequest;
  /** When it was made, in milliseconds since 1970. */
  atMs: number;
}

/** Returns what an answer adds; `isCovered`: the ledger has its tokens and money. */
export function answerSum({ tenant, user, record, recordedAt }: CountedAnswer, isCovered: boolean): UsageChange {
  const { model, usage } = record;
  const isCached = isFromCache(record);
  const would = isCached ? amountsOf(usage) : nothing;
  return {
    ...{ ...ofAnswers, call_count: 0 },
    ...{ saved_tokens: would.prompt_tokens + would.completion_tokens, saved_micros: would.cost_micros },
    ...{ tenant, day: dayOf(recordedAt), model, user, currency: usage?.currency ?? '' },
    ...(isCached || isCovered ? nothing : amountsOf(usage)),
    answer_count: 1,
    cached_count: isCached ? 1 : 0,
  };
}

/** Returns the sum that removes what an answer has added by its own usage: the ledger has it now. */
export function coveredSum({ tenant, user, record, recordedAt }: CountedAnswer): UsageChange {
  const { model, usage } = record;
  const { prompt_tokens, completion_tokens, cost_micros } = isFromCache(record) ? nothing : amountsOf(usage);
  return {
    ...{ ...notCalled, ...ofAnswers },
    ...{ tenant, day: dayOf(recordedAt), model, user, currency: usage?.currency ?? '' },
    ...{ ...nothing, prompt_tokens: -prompt_tokens, completion_tokens: -completion_tokens, cost_micros: -cost_micros },
  };
}

/** Returns what an entry of the ledger adds: tokens and money, but no answer. */
export function ledgerSums({ tenant, user, key, atMs, request }: CountedRequest): UsageChange[] {
  return request.usages.map(({ model, usage }) => ({
    ...{ ...notCalled, purpose: request.purpose, call_count: 1 },
    ...{ key_id: key, cost_centre: request.costCentre },
    ...{ tenant, day: dayOf(atMs), model, user, currency: usage?.currency ?? '' },
    ...(usage?.fromCache ? nothing : amountsOf(usage)),
  }));
}

/** The columns that a sum is of: the primary key. */
export const places = ['tenant', 'day', 'model', 'user', 'key_id', 'cost_centre', 'currency'] as const;
type Place = (typeof places)[number];

const amounts = ['answer_count', 'cached_count', 'prompt_tokens', 'completion_tokens', 'cost_micros'] as const;

/** Adds to the sums of the report, and to the totals by dimension. */
export async function addUsage(trx: Transaction<AuditSchema>, changes: readonly UsageChange[]): Promise<void> {
  await addSums(trx, changes);
  await addTotals(trx, changes.flatMap(totalsOf));
}

/** Adds to the sums of the report. */
export async function addSums(trx: Transaction<AuditSchema>, changes: readonly UsageSumRow[]): Promise<void> {
  const rows = new Map<string, UsageSumRow>();
  for (const change of changes) {
    const place = Object.fromEntries(places.map((name) => [name, change[name]])) as Pick<UsageSumRow, Place>;
    const key = JSON.stringify(Object.values(place));
    const sum = rows.get(key) ?? { ...place, ...nothing };
    for (const name of amounts) sum[name] += change[name];
    rows.set(key, sum);
  }
  await insertSums(trx, [...rows.values()]);
}

const insertSums = createInsert((db: Database<AuditSchema>, row: UsageSumRow) =>
  db
    .insertInto('usage')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(places)
        .doUpdateSet(
          Object.fromEntries(
            amounts.map((name) => [name, sql<number>`usage.${sql.ref(name)} + excluded.${sql.ref(name)}`]),
          ),
        ),
    ),
);

/** Returns the sums of a tenant over the UTC days that overlap [fromMs, beforeMs), by day, model and user. */
export async function reportUsage(
  db: Database<AuditSchema>,
  tenant: string,
  fromMs: number | undefined,
  beforeMs: number | undefined,
): Promise<Omit<UsageRow, '$typeName'>[]> {
  const order = ['day', 'model', 'user', 'currency'] as const;
  let query = db
    .selectFrom('usage')
    .select(order)
    .select(amounts.map((name) => sql<number | string>`SUM(${sql.ref(name)})`.as(name)))
    .where('tenant', '=', tenant)
    .groupBy(order);
  if (fromMs !== undefined) query = query.where('day', '>=', dayOf(fromMs));
  if (beforeMs !== undefined) query = query.where('day', '<=', dayOf(beforeMs - 1));
  for (const column of order) query = query.orderBy(column);
  const rows = await query.execute();
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

/** Returns whether an answer cost no tokens, because it is from the cache. */
export function isFromCache({ cacheLayer, usage }: RecordRequest): boolean {
  return cacheLayer !== CacheLayer.UNSPECIFIED || usage?.fromCache === true;
}

function amountsOf(usage: TokenUsage | undefined) {
  return {
    ...nothing,
    prompt_tokens: toAmount(usage?.promptTokens),
    completion_tokens: toAmount(usage?.completionTokens),
    cost_micros: toAmount(usage?.costMicros),
  };
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function toAmount(value: bigint | undefined): number {
  return Math.max(0, Math.min(Number(value ?? 0n), maxAmount));
}
