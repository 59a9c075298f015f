import { createProgress } from '../../cli/progress.ts';
import { percentile, type Row } from '../measure.ts';
import { type Child, startChild } from './children.ts';
import { startTarget, type Target } from './server.ts';

// What innocent callers feel of hostile ones, with all defaults: quiet, hostile requests, quiet again, idle connections, in one run.

/** What callers measured in a while. */
export interface Measured {
  /** Times of cached answers and of health checks, in milliseconds, ascending. */
  askMs: number[];
  healthMs: number[];
  /** What came in place of right replies. */
  failures: string[];
}

/** What the process of innocent callers is started with. */
export interface InnocentInit {
  edgePort: number;
  keys: string[];
  question: string;
}

/** What the process of hostile requests is started with. */
export interface AttackInit {
  edgePort: number;
  keys: string[];
  /** Requests in flight. */
  count: number;
}

/** What a process of idle connections is started with: their number, and the last part of its first address. */
export interface IdleInit {
  edgePort: number;
  count: number;
  firstAddress: number;
}

/** Connections that were opened so far, and the most that were open together. */
export interface IdleState {
  openedCount: number;
  mostCount: number;
}

const requestCount = 40;
const idleCount = 20_000;
/** A process has fewer descriptors than there are connections. */
const idleProcesses = 2;
const seconds = 12;
/** Time for which hostile requests are sent before anything is measured, in milliseconds. */
const leadMs = 3000;
/** Time for which idle connections are opened before anything is measured, in milliseconds. */
const openMs = 6000;
const question = 'How long may I return what I bought?';

/** Rows: p99 of a cached answer beside hostile callers against quiet, and the longest health check. */
export async function benchHostile(): Promise<Row[]> {
  const progress = createProgress();
  await using target = await startTarget();
  const { edgePort, innocentKeys } = target;
  await using innocent = startChild('./innocent-process.ts', { edgePort, keys: innocentKeys, question }, false);
  const phases = ['warm', 'quiet', 'hostile', 'quiet again', 'idle'];
  const measure = (phase: string) => {
    progress.update(phases.indexOf(phase), phases.length, phase);
    return innocent.ask<Measured>({ seconds });
  };
  await measure('warm');
  const quiet = await measure('quiet');
  const hostile = await besideRequests(target, () => measure('hostile'));
  await rest();
  const quietAgain = await measure('quiet again');
  const idle = await besideIdle(target, () => measure('idle'));
  progress.end();
  for (const [name, endings] of Object.entries(hostile.counts)) {
    process.stderr.write(
      `${name}: ${Object.entries(endings)
        .map(([ending, count]) => `${count} × ${ending}`)
        .join(', ')}\n`,
    );
  }
  return [
    ...rowsOf(
      `${requestCount} hostile requests`,
      hostile.measured,
      { quiet, quietAgain },
      `${sumOf(hostile.counts)} requests ended meanwhile`,
    ),
    ...rowsOf(
      `${idleCount} idle connections`,
      idle.measured,
      { quiet, quietAgain },
      `${idle.states.map(({ openedCount }) => openedCount).reduce((sum, each) => sum + each, 0)} opened, at most ${idle.states.map(({ mostCount }) => mostCount).join(' + ')} at a time`,
    ),
  ];
}

type Counts = Record<string, Record<string, number>>;

async function besideRequests({ edgePort, hostileKeys }: Target, measure: () => Promise<Measured>) {
  const init: AttackInit = { edgePort, keys: hostileKeys, count: requestCount };
  await using attack = startChild('./attack-process.ts', init, true);
  await attack.ask('start');
  await rest(leadMs);
  const measured = await measure();
  const counts = await attack.ask<Counts>('stop');
  return { measured, counts };
}

async function besideIdle({ edgePort }: Target, measure: () => Promise<Measured>) {
  await using stack = new AsyncDisposableStack();
  const count = idleCount / idleProcesses;
  const children: Child[] = Array.from({ length: idleProcesses }, (_, index) => {
    const init: IdleInit = { edgePort, count, firstAddress: 2 + 10 * index };
    return stack.use(startChild('./idle-process.ts', init, true));
  });
  await Promise.all(children.map((child) => child.ask('start')));
  await rest(openMs);
  const measured = await measure();
  const states = await Promise.all(children.map((child) => child.ask<IdleState>('stop')));
  return { measured, states };
}

/** Only the while before any attack is the measure of quiet; the one after hostile requests is shown beside it. */
function rowsOf(
  name: string,
  beside: Measured,
  quiets: Record<'quiet' | 'quietAgain', Measured>,
  detail: string,
): Row[] {
  const { quiet, quietAgain } = quiets;
  const [quietMs, againMs] = [percentile(quiet.askMs, 0.99), percentile(quietAgain.askMs, 0.99)];
  const besideMs = percentile(beside.askMs, 0.99);
  const worstHealthMs = beside.healthMs.at(-1) ?? Number.NaN;
  return [
    {
      name: `p99 of a cached answer beside ${name} : quiet`,
      measured: `${besideMs.toFixed(1)} ms : ${quietMs.toFixed(1)} ms (after hostile requests ${againMs.toFixed(1)} ms); p50 ${percentile(beside.askMs, 0.5).toFixed(1)} ms; ${detail}`,
      value: besideMs / quietMs,
      sense: '≤',
      bar: 3,
    },
    {
      name: `longest /healthz beside ${name}, ms`,
      measured: `of ${beside.healthMs.length}; quiet ${(quiet.healthMs.at(-1) ?? 0).toFixed(0)} ms`,
      value: worstHealthMs,
      sense: '≤',
      bar: 200,
    },
    {
      name: `requests of innocent callers that fail beside ${name}`,
      measured: `of ${beside.askMs.length + beside.healthMs.length + beside.failures.length}${reasonsOf(beside.failures)}; quiet ${quiet.failures.length}`,
      value: beside.failures.length,
      sense: '≤',
      bar: 0,
    },
  ];
}

function reasonsOf(failures: readonly string[]): string {
  const counts = [...Map.groupBy(failures, (reason) => reason)].map(([reason, all]) => `${all.length} × ${reason}`);
  return counts.length === 0 ? '' : `: ${counts.join(', ')}`;
}

function sumOf(counts: Counts): number {
  return Object.values(counts)
    .flatMap((endings) => Object.values(endings))
    .reduce((sum, count) => sum + count, 0);
}

function rest(ms = 2000): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
