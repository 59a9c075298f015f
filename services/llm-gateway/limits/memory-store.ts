import type {
  Demand,
  LimitKind,
  LimitStore,
  LimitStoreDeps,
  Refusal,
  Scope,
  ScopeLimits,
  Used,
} from './limit-store.ts';
import { createMinute, type Minute } from './minute.ts';
import { createCalendar, type Periods, slotMs, soonMs } from './windows.ts';

/** Counters of a scope. */
interface Counters {
  requests: Minute;
  tokens: Minute;
  day: Spent;
  month: Spent;
  /** Reserved money that is not settled. */
  heldMicros: number;
  running: number;
}

/** Money of a period, including reservations. */
interface Spent {
  period: string;
  micros: number;
}

/** A reservation in one scope. Usage without a limit is not counted, neither at the reservation nor at the settlement. */
interface Hold {
  counted: Counters;
  limits: ScopeLimits;
  slot: number;
  tokens: number;
  costMicros: number;
  day: string;
  month: string;
}

/** Counters in the memory of this process. */
export interface MemoryStore extends LimitStore {
  /** Reserves without a check of the limits: another store has admitted the request. */
  mirror(demand: Demand): void;
}

/**
 * Creates counters in memory for at most `maxScopes` scopes. Beyond that it forgets the least recently used scope without a running
 * request, together with the money that it has spent.
 */
export function createMemoryStore(
  { clock, log }: Pick<LimitStoreDeps, 'clock' | 'log'>,
  maxScopes: number,
): MemoryStore {
  const byName = new Map<string, Counters>();
  const holds = new Map<string, Hold[]>();
  const periodsAt = createCalendar();
  let hasForgotten = false;

  const forgetOne = () => {
    for (const [name, { running }] of byName) {
      if (running > 0) continue;
      byName.delete(name);
      if (!hasForgotten)
        log.warn(
          { event: 'limit_scopes_forgotten', max_scopes: maxScopes },
          'too many scopes, oldest counters dropped',
        );
      hasForgotten = true;
      return;
    }
  };
  const countersOf = (tenant: string, scope: Scope): Counters => {
    const key = scopeKey(tenant, scope);
    const found = byName.get(key) ?? {
      requests: createMinute(),
      tokens: createMinute(),
      day: { period: '', micros: 0 },
      month: { period: '', micros: 0 },
      heldMicros: 0,
      running: 0,
    };
    // The Map is ordered by the last use.
    if (!byName.delete(key) && byName.size >= maxScopes) forgetOne();
    byName.set(key, found);
    return found;
  };
  const take = ({ id, scopes, tokens, costMicros }: Demand, counters: Counters[], slot: number, periods: Periods) => {
    const { day, month } = periods;
    const taken = counters.map((counted, index) => {
      const { limits } = scopes[index] as Scope;
      if (limits.requestsPerMinute > 0) counted.requests.add(slot, 1);
      if (limits.tokensPerMinute > 0) counted.tokens.add(slot, tokens);
      if (limits.costMicrosPerDay > 0) spend(counted.day, day, costMicros);
      if (limits.costMicrosPerMonth > 0) spend(counted.month, month, costMicros);
      counted.heldMicros += costMicros;
      counted.running += 1;
      return { counted, limits, slot, tokens, costMicros, day, month };
    });
    holds.set(id, taken);
  };

  return {
    isShared: false,
    async reserve(demand) {
      if (holds.has(demand.id)) return { admitted: true };
      const nowMs = clock();
      const slot = Math.floor(nowMs / slotMs);
      const periods = periodsAt(nowMs);
      const counters = demand.scopes.map((scope) => countersOf(demand.tenant, scope));
      let refusal: Refusal | undefined;
      for (const [scopeIndex, counted] of counters.entries()) {
        const { limits } = demand.scopes[scopeIndex] as Scope;
        for (const found of refusals(counted, limits, demand, { nowMs, slot, periods })) {
          refusal = longerRefusal(refusal, { admitted: false, scopeIndex, ...found });
        }
      }
      if (refusal !== undefined) return refusal;
      take(demand, counters, slot, periods);
      const minutes = counters.map(({ requests, tokens }) => ({
        requests: requests.sum(slot),
        tokens: tokens.sum(slot),
      }));
      return { admitted: true, minutes };
    },
    mirror(demand) {
      if (holds.has(demand.id)) return;
      const nowMs = clock();
      const counters = demand.scopes.map((scope) => countersOf(demand.tenant, scope));
      take(demand, counters, Math.floor(nowMs / slotMs), periodsAt(nowMs));
    },
    async settle(id, used) {
      const taken = holds.get(id) ?? [];
      holds.delete(id);
      const slot = Math.floor(clock() / slotMs);
      for (const hold of taken) release(hold, used, slot);
    },
    async read(tenant, scopes) {
      const nowMs = clock();
      const slot = Math.floor(nowMs / slotMs);
      const { day, month } = periodsAt(nowMs);
      return scopes.map((scope) => {
        const found = byName.get(scopeKey(tenant, scope));
        return {
          requests: found?.requests.sum(slot) ?? 0,
          tokens: found?.tokens.sum(slot) ?? 0,
          dayMicros: found === undefined ? 0 : spentIn(found.day, day),
          monthMicros: found === undefined ? 0 : spentIn(found.month, month),
          running: found?.running ?? 0,
        };
      });
    },
    async close() {
      byName.clear();
      holds.clear();
    },
  };
}

const scopeKey = (tenant: string, { name }: Scope) => `${tenant.length}:${tenant}${name}`;

interface Now {
  nowMs: number;
  slot: number;
  periods: Periods;
}

function* refusals(
  { requests, tokens, day, month, heldMicros, running }: Counters,
  limits: Scope['limits'],
  demand: Demand,
  { nowMs, slot, periods }: Now,
): Generator<Omit<Refusal, 'admitted' | 'scopeIndex'>> {
  const minute = (kind: LimitKind, window: Minute, amount: number, limit: number) => {
    const remaining = Math.max(0, limit - window.sum(slot));
    if (amount > limit) return { kind, retryAfterMs: undefined, remaining };
    return { kind, remaining, retryAfterMs: window.freeAt(slot, window.sum(slot) + amount - limit) - nowMs };
  };
  const money = (kind: LimitKind, spent: number, limit: number, endsAt: number) => {
    const remaining = Math.max(0, limit - spent);
    if (demand.costMicros > limit) return { kind, retryAfterMs: undefined, remaining };
    return { kind, remaining, retryAfterMs: spent - heldMicros + demand.costMicros <= limit ? soonMs : endsAt - nowMs };
  };
  const { requestsPerMinute, tokensPerMinute, costMicrosPerDay, costMicrosPerMonth, maxConcurrent } = limits;
  if (requestsPerMinute > 0 && requests.sum(slot) + 1 > requestsPerMinute) {
    yield minute('requestsPerMinute', requests, 1, requestsPerMinute);
  }
  if (tokensPerMinute > 0 && tokens.sum(slot) + demand.tokens > tokensPerMinute) {
    yield minute('tokensPerMinute', tokens, demand.tokens, tokensPerMinute);
  }
  const spentToday = spentIn(day, periods.day);
  if (costMicrosPerDay > 0 && spentToday + demand.costMicros > costMicrosPerDay) {
    yield money('costMicrosPerDay', spentToday, costMicrosPerDay, periods.dayEndsAt);
  }
  const spentThisMonth = spentIn(month, periods.month);
  if (costMicrosPerMonth > 0 && spentThisMonth + demand.costMicros > costMicrosPerMonth) {
    yield money('costMicrosPerMonth', spentThisMonth, costMicrosPerMonth, periods.monthEndsAt);
  }
  if (maxConcurrent > 0 && running >= maxConcurrent)
    yield { kind: 'maxConcurrent', retryAfterMs: soonMs, remaining: 0 };
}

/** Returns the refusal with the longer wait. Every other limit has priority over `maxConcurrent`. */
export function longerRefusal(a: Refusal | undefined, b: Refusal): Refusal {
  if (a === undefined) return b;
  if (a.kind === 'maxConcurrent') return b;
  if (b.kind === 'maxConcurrent') return a;
  return (b.retryAfterMs ?? Infinity) > (a.retryAfterMs ?? Infinity) ? b : a;
}

function release({ counted, limits, ...hold }: Hold, used: Used | undefined, slot: number): void {
  counted.running -= 1;
  counted.heldMicros -= hold.costMicros;
  if (used === undefined && limits.requestsPerMinute > 0) counted.requests.add(hold.slot, -1);
  const moreTokens = (used?.tokens ?? 0) - hold.tokens;
  // The unused part of a reservation returns to its slot; usage beyond the reservation counts now.
  if (limits.tokensPerMinute > 0) counted.tokens.add(moreTokens > 0 ? slot : hold.slot, moreTokens);
  const moreMicros = (used?.costMicros ?? 0) - hold.costMicros;
  if (limits.costMicrosPerDay > 0) correct(counted.day, hold.day, moreMicros);
  if (limits.costMicrosPerMonth > 0) correct(counted.month, hold.month, moreMicros);
}

/** Money is settled in the period in which it was reserved. */
function correct(spent: Spent, period: string, micros: number): void {
  if (spent.period === period) spent.micros = Math.max(0, spent.micros + micros);
}

const spentIn = ({ period, micros }: Spent, now: string) => (period === now ? micros : 0);

function spend(spent: Spent, period: string, micros: number): void {
  spent.micros = spentIn(spent, period) + micros;
  spent.period = period;
}
