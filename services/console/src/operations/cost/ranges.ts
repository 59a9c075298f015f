/** Days of a page of usage, by the name of their range. */
export const rangeNames = ['7', '30', 'month', 'last', '365'] as const;
export type Range = (typeof rangeNames)[number];

/** Days in UTC, YYYY-MM-DD: the first one, and the one after the last. */
export interface Days {
  fromDay: string;
  beforeDay: string;
}

const dayMs = 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Returns the days of a range, in UTC as in the ledger. */
export function daysOf(range: Range, now: Date): Days {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const tomorrow = Date.UTC(year, month, now.getUTCDate() + 1);
  switch (range) {
    case 'month':
      return { fromDay: iso(Date.UTC(year, month, 1)), beforeDay: iso(tomorrow) };
    case 'last':
      return { fromDay: iso(Date.UTC(year, month - 1, 1)), beforeDay: iso(Date.UTC(year, month, 1)) };
    default:
      return { fromDay: iso(tomorrow - Number(range) * dayMs), beforeDay: iso(tomorrow) };
  }
}

/** Returns every day of a range, in order. */
export function listDays({ fromDay, beforeDay }: Days): string[] {
  const from = Date.parse(fromDay);
  return Array.from({ length: Math.round((Date.parse(beforeDay) - from) / dayMs) }, (_, at) => iso(from + at * dayMs));
}
