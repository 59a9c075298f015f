// The windows that limits count in. The scripts of the Redis store reckon with the same numbers.

/** Step of the sliding minute, in milliseconds. */
export const slotMs = 5000;

/**
 * Slots that count: the one that is under way and the 12 before it, so that they always hold the last 60 seconds whole.
 */
export const slotCount = 13;

/** When a request may try again where only reservations of others stand against it, in milliseconds. */
export const soonMs = 1000;

/** Periods of money at a time. */
export interface Periods {
  /** UTC, YYYY-MM-DD. */
  day: string;
  /** UTC, YYYY-MM. */
  month: string;
  dayEndsAt: number;
  monthEndsAt: number;
}

/** Gives the periods of a time, remembered for as long as they last. */
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
