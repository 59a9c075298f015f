/**
 * Returns the milliseconds since 1970 of an ISO 8601 time, a day, `2026/9/14` or `2026年9月14日`; `undefined` for anything else. Without a
 * zone it is in UTC.
 */
export function readTime(value: string): number | undefined {
  const day = /^(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?/.exec(value.trim());
  if (day === null) return undefined;
  const [whole, year, month = '', date = ''] = day;
  const iso = `${year}-${month.padStart(2, '0')}-${date.padStart(2, '0')}${value.trim().slice(whole.length)}`;
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Returns the day of a time as `2026-09-14`, in UTC. */
export function toDay(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 10);
}
