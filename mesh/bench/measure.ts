/** Calls a second over `seconds`, with `callers` that call one after another. */
export async function callsPerSecond(callers: number, seconds: number, call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  let count = 0;
  const caller = async () => {
    while (performance.now() < until) {
      await call();
      count++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (count * 1000) / (performance.now() - startedAt);
}

/** Times of `rounds` × `callers` calls, in milliseconds, ascending. */
export async function latencies(
  callers: number,
  rounds: number,
  call: (index: number) => Promise<number>,
): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const caller = async () => {
    while (next < rounds) times.push(await call(next++));
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return times.sort((a, b) => a - b);
}

/** The value below which `share` of the ascending `values` lie. */
export function percentile(values: readonly number[], share: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}

/** The middle of some values. */
export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** A measured row against its bar. */
export interface Row {
  name: string;
  /** What was measured, for a person. */
  measured: string;
  /** The figure that is held against the bar. */
  value: number;
  /** "≥" or "≤". */
  sense: '≥' | '≤';
  bar: number;
}

/** Prints rows as one table. Returns how many miss their bar. */
export function printTable(rows: readonly Row[]): number {
  const width = Math.max(...rows.map(({ name }) => name.length));
  let missed = 0;
  for (const { name, measured, value, sense, bar } of rows) {
    const isMet = sense === '≥' ? value >= bar : value <= bar;
    if (!isMet) missed++;
    const figure = value >= 100 ? value.toFixed(0) : value.toFixed(2);
    process.stdout.write(
      `${isMet ? 'ok  ' : 'MISS'} ${name.padEnd(width)}  ${figure.padStart(8)}  ${sense} ${bar}   ${measured}\n`,
    );
  }
  return missed;
}
