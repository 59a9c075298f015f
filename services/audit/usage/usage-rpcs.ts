import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type UsageAmountsSchema,
  UsageDimension,
  UsageFormat,
  type UsagePointSchema,
  type UsageService,
} from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AuditSchema, UsageTotalRow } from '../records/schema.ts';
import { compareCosts, parseCosts } from './reconciliation.ts';
import { writeUsage } from './usage-file.ts';
import { type Days, type DayTotal, type Dimension, sumByDay, sumByName } from './usage-pages.ts';
import { reportUsage } from './usage-sums.ts';
import { totalAmounts } from './usage-totals.ts';

const dayMs = 86_400_000;
/** Most days of a request. */
const maxDays = 400;
const defaultNames = 6;
const defaultPageSize = 50;
/** Rows after which a list ends: the rest is in the export. */
const maxOffset = 100_000;
/** Differences of a response. */
const maxDifferences = 1000;

const dimensions: Record<number, Dimension> = {
  [UsageDimension.MODEL]: 'model',
  [UsageDimension.USER]: 'user',
  [UsageDimension.PURPOSE]: 'purpose',
  [UsageDimension.KEY]: 'key',
  [UsageDimension.COST_CENTRE]: 'cost_centre',
};

/** Creates the rpcs of usage. */
export function createUsageRpcs(db: Database<AuditSchema>): ServiceHandlers<typeof UsageService> {
  const list = async (
    tenant: string,
    dimension: Dimension,
    request: { fromDay: string; beforeDay: string; pageSize: number; pageToken: string },
  ) => {
    const offset = readOffset(request.pageToken);
    const size = request.pageSize || defaultPageSize;
    const rows = await sumByName(db, { tenant, dimension, days: readDays(request) }, { limit: size + 1, offset });
    const next = offset + size;
    return {
      rows: rows.slice(0, size).map((row) => ({ name: row.name, amounts: toAmounts(row) })),
      nextPageToken: rows.length > size && next < maxOffset ? String(next) : '',
    };
  };
  return {
    async getUsageTrend(request, { principal: { tenant } }) {
      const days = readDays(request);
      const dimension = dimensionOf(request.dimension);
      const limit = request.nameCount || defaultNames;
      const [top, all] = await Promise.all([
        sumByName(db, { tenant, dimension, days }, { limit, offset: 0 }),
        sumByDay(db, { tenant, dimension: 'model', days }),
      ]);
      const names = [...new Set(top.map(({ name }) => name))];
      const named = names.length === 0 ? [] : await sumByDay(db, { tenant, dimension, days }, names);
      return { totals: totalsOf(all), names, points: [...named.map(toPoint), ...restOf(all, named)] };
    },
    listUsage: (request, { principal }) => list(principal.tenant, dimensionOf(request.dimension), request),
    listTenantUsage: (request) => list('', 'tenant', request),
    async *exportUsage(request, { principal, signal }) {
      const isFocus = request.format === UsageFormat.FOCUS;
      for await (const text of writeUsage(db, principal.tenant, readDays(request), isFocus, signal)) yield { text };
    },
    async reconcileUsage(request, { principal }) {
      const provider = parseCosts(request.csv, [request.dayColumn, request.modelColumn, request.costColumn]);
      const known = provider.map(({ day }) => day).toSorted();
      const fromDay = request.fromDay || (known[0] ?? '');
      const beforeDay = request.beforeDay || (known.length === 0 ? '' : dayAfter(known.at(-1) as string));
      const days = readDays({ fromDay, beforeDay });
      const rows = await reportUsage(db, principal.tenant, Date.parse(days.from), Date.parse(days.before));
      const ledger = rows
        .filter(({ costMicros }) => costMicros > 0n)
        .map(({ day, model, costMicros }) => ({ day, model, cost: Number(costMicros) / 1e6 }));
      const within = provider.filter(({ day }) => day >= days.from && day < days.before);
      const { differences, share, total } = compareCosts(ledger, within);
      return {
        ...{ fromDay, beforeDay, ledgerCost: total.ledger, providerCost: total.provider, share },
        differenceCount: differences.length,
        differences: differences.slice(0, maxDifferences).map((each) => ({
          ...{ day: each.day, model: each.model, ledgerCost: each.ledger, providerCost: each.provider },
        })),
      };
    },
  };
}

function dimensionOf(dimension: UsageDimension): Dimension {
  const known = dimensions[dimension];
  if (known === undefined) throw invalidArgument('dimension: is not set');
  return known;
}

function readDays({ fromDay, beforeDay }: { fromDay: string; beforeDay: string }): Days {
  const [fromMs, beforeMs] = [parseDay(fromDay, 'from_day'), parseDay(beforeDay, 'before_day')];
  if (beforeMs <= fromMs) throw invalidArgument('before_day: is not after from_day');
  if (beforeMs - fromMs > maxDays * dayMs)
    throw invalidArgument(`before_day: is more than ${maxDays} days after from_day`);
  return { from: fromDay, before: beforeDay };
}

function parseDay(day: string, field: string): number {
  const ms = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day) {
    throw invalidArgument(`${field}: "${day}" is no day: write it as 2026-12-01`);
  }
  return ms;
}

const dayAfter = (day: string) => new Date(parseDay(day, 'csv') + dayMs).toISOString().slice(0, 10);

function readOffset(token: string): number {
  const offset = token === '' ? 0 : Number(token);
  if (!Number.isInteger(offset) || offset < 0 || offset > maxOffset) {
    throw invalidArgument('page_token is not from this list: start again without one');
  }
  return offset;
}

type Amounts = Pick<UsageTotalRow, 'currency' | (typeof totalAmounts)[number]>;

function toAmounts(row: Amounts): MessageInitShape<typeof UsageAmountsSchema> {
  return {
    callCount: BigInt(row.call_count),
    answerCount: BigInt(row.answer_count),
    cachedCount: BigInt(row.cached_count),
    promptTokens: BigInt(row.prompt_tokens),
    completionTokens: BigInt(row.completion_tokens),
    costMicros: BigInt(row.cost_micros),
    currency: row.currency,
    savedTokens: BigInt(row.saved_tokens),
    savedMicros: BigInt(row.saved_micros),
  };
}

function toPoint({ period, name, ...amounts }: DayTotal): MessageInitShape<typeof UsagePointSchema> {
  return { day: period, name, isRest: false, amounts: toAmounts(amounts) };
}

/** Returns the sums of all days by currency. */
function totalsOf(days: readonly DayTotal[]): MessageInitShape<typeof UsageAmountsSchema>[] {
  const byCurrency = Map.groupBy(days, ({ currency }) => currency);
  return [...byCurrency.values()].map((rows) => toAmounts(rows.reduce((sum, row) => combine(sum, row, 1))));
}

/** Returns what is left of each day without the names that have points of their own. */
function restOf(all: readonly DayTotal[], named: readonly DayTotal[]): MessageInitShape<typeof UsagePointSchema>[] {
  const placeOf = ({ period, currency }: DayTotal) => `${period} ${currency}`;
  const byPlace = Map.groupBy(named, placeOf);
  return all.flatMap((day) => {
    const rest = (byPlace.get(placeOf(day)) ?? []).reduce((sum, row) => combine(sum, row, -1), day);
    if (totalAmounts.every((amount) => rest[amount] <= 0)) return [];
    const amounts = {
      ...rest,
      ...Object.fromEntries(totalAmounts.map((amount) => [amount, Math.max(0, rest[amount])])),
    };
    return [{ day: day.period, name: '', isRest: true, amounts: toAmounts(amounts) }];
  });
}

function combine(a: DayTotal, b: DayTotal, sign: 1 | -1): DayTotal {
  return { ...a, ...Object.fromEntries(totalAmounts.map((amount) => [amount, a[amount] + sign * b[amount]])) };
}
