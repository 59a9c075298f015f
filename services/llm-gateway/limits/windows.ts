// The windows of limits. The scripts of the Redis store use the same numbers.

/** Step of the sliding minute, in milliseconds. */
export const slotMs = 5000;

/** Slots of the window: the current one and the 12 before it, so that they always include the last 60 seconds. */
export const slotCount = 13;

/** RetryInfo of a request that only reservations of others refuse, in milliseconds. */
export const soonMs = 1000;

/** The periods of money at one time. */
export interface Periods {
  /** UTC, YYYY-MM-DD. */
  day: string;
  /** UTC, YYYY-MM. */
  month: string;
  dayEndsAt: number;
  monthEndsAt: number;
}

/** Returns a function from a time to its periods, which caches the last result. */
export function createCalendar(): (nowMs: number) => Periods {
  let startsAt = 0;
  let periods: Periods = { day: '', month: '', dayEndsAt: 0, monthEndsAt: 0 };
  return (nowMs) => {
    if (nowMs >= startsAt && nowMs < periods.dayEndsAt) return periods;
    const now = new Date(nowMs);
    const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
    const iso = now.toISOString();
    startsAt = Date.UTC(year, month, day);
    periods = {
      day: iso.slice(0, 10),
      month: iso.slice(0, 7),
      dayEndsAt: Date.UTC(year, month, day + 1),
      monthEndsAt: Date.UTC(year, month + 1, 1),
    };
    return periods;
  };
}
