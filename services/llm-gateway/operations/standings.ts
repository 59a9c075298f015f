import type { LimitKind, ScopeUse } from '../limits/limit-store.ts';
import type { Standing } from '../limits/limits.ts';
import { limitName } from '../limits/refusal.ts';
import type { NamedLimit, OtherNames } from '../limits/rules/rules.ts';
import { createCalendar, slotCount, slotMs } from '../limits/windows.ts';

/**
 * Returns limits with what is used of them. Keys and users that have used nothing and are not asked for are left out: the configuration has those
 * of all tenants.
 */
export function readStandings(
  named: readonly NamedLimit[],
  uses: readonly ScopeUse[],
  others: OtherNames,
  nowMs: number,
): Standing[] {
  const { dayEndsAt, monthEndsAt } = createCalendar()(nowMs);
  const minuteEndsAt = (Math.floor(nowMs / slotMs) + slotCount) * slotMs;
  return named.flatMap(({ layer, name, scope, source, raisedUntilMs }, index) => {
    const use = uses[index] ?? unused;
    const isPrivate = layer === 'key' || layer === 'user';
    const isAskedFor = others.keys.includes(name) || others.users.includes(name);
    if (isPrivate && !isAskedFor && Object.values(use).every((amount) => amount === 0)) return [];
    const all: Record<LimitKind, [used: number, resetsAtMs: number | undefined]> = {
      requestsPerMinute: [use.requests, minuteEndsAt],
      tokensPerMinute: [use.tokens, minuteEndsAt],
      costMicrosPerDay: [use.dayMicros, dayEndsAt],
      costMicrosPerMonth: [use.monthMicros, monthEndsAt],
      maxConcurrent: [use.running, undefined],
    };
    return (Object.entries(all) as [LimitKind, (typeof all)[LimitKind]][]).flatMap(([kind, [used, resetsAtMs]]) => {
      const limit = scope.limits[kind];
      return limit === 0
        ? []
        : [{ layer, name, kind: limitName(kind), limit, used, resetsAtMs, source, raisedUntilMs }];
    });
  });
}

const unused: ScopeUse = { requests: 0, tokens: 0, dayMicros: 0, monthMicros: 0, running: 0 };
