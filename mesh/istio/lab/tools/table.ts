/** A line of a final table. */
export interface Row {
  readonly group: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What was seen: "410 of 410". */
  readonly detail: string;
  readonly problems: readonly string[];
}

/** Problems of one row that are printed; the rest is counted. */
const maxProblems = 10;

/** Prints rows in their groups, and the problems below. Returns the exit code: 1 if a row has failed. */
export function printTable(rows: readonly Row[], say: (line: string) => void): number {
  const width = Math.max(...rows.map(({ name }) => name.length));
  let group = '';
  for (const row of rows) {
    if (row.group !== group) say(`\n${row.group}`);
    group = row.group;
    say(`  ${row.outcome.padEnd(8)} ${row.name.padEnd(width)}  ${row.detail}`);
    for (const problem of row.problems.slice(0, maxProblems)) say(`             ${problem}`);
    if (row.problems.length > maxProblems) say(`             … and ${row.problems.length - maxProblems} more`);
  }
  const countOf = (outcome: Row['outcome']) => rows.filter((row) => row.outcome === outcome).length;
  say(`\n${countOf('passed')} passed, ${countOf('failed')} failed, ${countOf('skipped')} skipped`);
  return countOf('failed') > 0 ? 1 : 0;
}
