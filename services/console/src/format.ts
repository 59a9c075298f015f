/** Returns a duration in readable form: `0.4 ms`, `18 ms`, `1.24 s`. */
export function formatMs(ms: number): string {
  if (ms < 0.05) return '<0.1 ms';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** Returns a whole number with the separators of the language. */
export function formatCount(count: number | bigint, language: string): string {
  return new Intl.NumberFormat(language).format(count);
}

/** Money given in millionths of its unit. */
export function formatCost(micros: bigint, currency: string, language: string): string {
  const amount = Number(micros) / 1_000_000;
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: amount !== 0 && Math.abs(amount) < 0.1 ? 5 : 2 };
  if (!/^[A-Z]{3}$/.test(currency))
    return `${new Intl.NumberFormat(language, digits).format(amount)} ${currency}`.trim();
  return new Intl.NumberFormat(language, { style: 'currency', currency, ...digits }).format(amount);
}

/** Returns a time in short form: the time of day for today, the date for earlier days. */
export function formatWhen(at: Date, now: Date, language: string): string {
  const today = at.toDateString() === now.toDateString();
  const options: Intl.DateTimeFormatOptions = today
    ? { hour: 'numeric', minute: '2-digit' }
    : { month: 'short', day: 'numeric', ...(at.getFullYear() !== now.getFullYear() && { year: 'numeric' }) };
  return new Intl.DateTimeFormat(language, options).format(at);
}

/** Returns a day, as `2026-12-03`, as people write it; another text stays as it is. */
export function formatDay(day: string, language: string): string {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(day) ? new Date(`${day}T00:00:00Z`) : undefined;
  if (at === undefined || Number.isNaN(at.getTime())) return day;
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' }).format(at);
}

/** Returns a time with its day. */
export function formatTime(at: Date, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(at);
}
