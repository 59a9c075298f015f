import { askOnce, meet, questionCount, type Seen, untilWhole } from './cell.ts';
import { type Fault, faults } from './link.ts';
import { type Expected, expectedOf } from './matrix.ts';
import type { World } from './world.ts';

/** A cell of the matrix, and what is wrong with it. */
export interface CellResult {
  dependency: string;
  fault: Fault;
  seen: Seen;
  problems: string[];
}

/** Questions before the first fault: a breaker knows the usual time of a dependency after 20 replies. */
const warmUpCount = 24;

/** Settings of {@link runCells}. */
export interface RunOptions {
  /** Called after each cell. */
  onCell?: (result: CellResult) => void;
  /** Whether waits are counted; `false`: only how questions end, which a busy machine does not change. Default: `true`. */
  countsWaits?: boolean;
}

/**
 * Runs the cells of a world, one after another, on the mesh as it is after the ones before. `chosen`: whether a cell runs. A wait is a
 * question that takes longer than `waitMs`, measured on this machine by {@link waitMsOf}.
 */
export async function runCells(
  world: World,
  chosen: (dependency: string, fault: Fault) => boolean,
  { onCell = () => {}, countsWaits = true }: RunOptions = {},
): Promise<CellResult[]> {
  await untilWhole(world);
  const soundMs: number[] = [];
  for (let count = 0; count < warmUpCount; count++) {
    const startedAt = performance.now();
    await askOnce(world);
    soundMs.push(performance.now() - startedAt);
  }
  const waitMs = waitMsOf(soundMs);
  const results: CellResult[] = [];
  for (const row of world.rows) {
    for (const fault of faults.filter((each) => chosen(row.dependency, each))) {
      const seen = await meet(world, row, fault);
      const problems = problemsOf(
        seen,
        expectedOf(row.dependency, fault),
        fault === 'slow' || !countsWaits ? Number.POSITIVE_INFINITY : waitMs,
      );
      const result = { dependency: row.dependency, fault, seen, problems };
      results.push(result);
      onCell(result);
    }
  }
  return results;
}

/** Returns the time of a question, in milliseconds, that has waited for something: above all that sound ones take here, and 0.9 s. */
function waitMsOf(soundMs: readonly number[]): number {
  return Math.max(900, 4 * Math.max(...soundMs));
}

function problemsOf(
  { endings, tookMs, recoveredMs }: Seen,
  { endings: allowed, maxWaits }: Expected,
  waitMs: number,
): string[] {
  const problems = [...new Set(endings.filter((ending) => !allowed.includes(ending)))].map(
    (ending) => `ended "${ending}", which is none of: ${allowed.join('; ')}`,
  );
  const waitCount = tookMs.filter((ms) => ms > waitMs).length;
  if (waitCount > maxWaits) problems.push(`${waitCount} questions of ${questionCount} waited, and not ${maxWaits}`);
  if (recoveredMs === undefined) problems.push('no whole answer came after the fault had ended');
  return problems;
}

/** Returns a result as a row of the table. */
export function describeCell({ dependency, fault, seen, problems }: CellResult): string {
  const { endings, tookMs, recoveredMs } = seen;
  const counts = [...Map.groupBy(endings, (ending) => ending)].map(([ending, all]) => `${all.length} ${ending}`);
  const sorted = [...tookMs].sort((a, b) => a - b);
  const ms = (value: number | undefined) => (value === undefined ? 'never' : String(Math.round(value)));
  const parts = [
    dependency.padEnd(12),
    fault.padEnd(9),
    ms(sorted.at(-1)).padStart(6),
    ms(sorted[Math.floor(sorted.length / 2)]).padStart(6),
    ms(recoveredMs).padStart(6),
    problems.length === 0 ? 'as expected' : 'WRONG',
    counts.join(' | '),
  ];
  return [parts.join('  '), ...problems.map((problem) => `    ${problem}`)].join('\n');
}

/** The head of the table. */
export const tableHead = `dependency    fault       worst  median  again  (ms)         how ${questionCount} questions ended`;
