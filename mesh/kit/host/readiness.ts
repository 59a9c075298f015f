import { ConnectError } from '@connectrpc/connect';
import type { Logger } from '../base/log.ts';
import { within } from '../base/within.ts';

/** One thing that a service depends on. */
export interface ReadinessCheck {
  /** Name of the dependency in the words of the configuration: "vector_store". */
  readonly name: string;
  /** Rejects with the reason while the dependency does not work. */
  check(signal: AbortSignal): Promise<unknown>;
  /** Checks of one group replace each other: the service is ready while one of them passes. @default a group of its own */
  readonly group?: string;
  /** Whether the service serves without the dependency; a failure is then reported as degraded. @default false */
  readonly isOptional?: boolean;
}

/** What the last checks of a service found. */
export interface ReadinessReport {
  readonly service: string;
  /** Why the service cannot serve: the failing dependencies with their reasons; `undefined` if it can. */
  readonly notReady: string | undefined;
  /** Failing dependencies that the service can do without, each with its reason. */
  readonly degraded: readonly string[];
}

/** The readiness of a process: checks run in the background, readers get the last results. */
export interface ReadinessMonitor {
  /** Adds a service. */
  add(service: string, checks: readonly ReadinessCheck[]): void;
  /** Runs all checks once and resolves when they have ended, or after a second; then repeats them until `close`. */
  start(): Promise<void>;
  /** Makes every service not ready, with the reason "draining". */
  drain(): void;
  reportOf(service: string): ReadinessReport;
  reports(): ReadinessReport[];
  close(): void;
}

/** Time between two rounds of checks, in milliseconds. */
const defaultIntervalMs = 2000;
/** Longest time of a check, in milliseconds. Long, because a busy dependency is not a broken one. */
const checkTimeoutMs = 5000;
/** Longest time that a start waits for the first round, in milliseconds. */
const firstRoundMs = 1000;

interface Watched {
  readonly service: string;
  readonly check: ReadinessCheck;
  /** Why the last check failed; `undefined` if it passed. */
  reason: string | undefined;
  /** Whether the check still runs; it is not started a second time. */
  isRunning: boolean;
}

/** Creates the monitor. `intervalMs`: time between two rounds, 2000 by default. The log names each change. */
export function createReadinessMonitor(log: Logger, intervalMs: number = defaultIntervalMs): ReadinessMonitor {
  const services = new Map<string, Watched[]>();
  const closing = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let isDraining = false;

  const runOne = async (watched: Watched): Promise<void> => {
    if (watched.isRunning) return;
    watched.isRunning = true;
    const reason = await within((signal) => watchedWork(watched, signal), {
      timeoutMs: checkTimeoutMs,
      signals: [closing.signal],
      toTimeoutError: (ms) => new Error(`no reply within ${ms} ms`),
    }).then(() => undefined, reasonOf);
    if (!closing.signal.aborted) note(watched, reason);
  };
  const note = (watched: Watched, reason: string | undefined) => {
    const { service, check } = watched;
    const fields = { service, dependency: check.name };
    if (reason !== undefined && (watched.reason === undefined || watched.reason === notChecked)) {
      log.warn({ event: 'dependency_down', ...fields, reason }, 'dependency down');
    } else if (reason === undefined && watched.reason !== undefined && watched.reason !== notChecked) {
      log.info({ event: 'dependency_up', ...fields }, 'dependency up');
    }
    watched.reason = reason;
  };
  const round = () => Promise.all([...services.values()].flat().map(runOne));
  const schedule = () => {
    if (closing.signal.aborted) return;
    timer = setTimeout(() => void round().then(schedule), intervalMs).unref();
  };
  const reportOf = (service: string): ReadinessReport => {
    const { failing, degraded } = sort(services.get(service) ?? []);
    const notReady = isDraining ? 'draining' : failing.length === 0 ? undefined : failing.join('; ');
    return { service, notReady, degraded };
  };

  return {
    add(service, checks) {
      services.set(
        service,
        checks.map((check) => ({ service, check, reason: notChecked, isRunning: false })),
      );
    },
    async start() {
      const first = round();
      void first.then(schedule);
      await within(() => first, { timeoutMs: firstRoundMs, signals: [closing.signal] }).catch(() => {});
    },
    drain() {
      isDraining = true;
    },
    reportOf,
    reports: () => [...services.keys()].map(reportOf),
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

const notChecked = 'not checked yet';

async function watchedWork(watched: Watched, signal: AbortSignal): Promise<void> {
  try {
    await watched.check.check(signal);
  } finally {
    watched.isRunning = false;
  }
}

/** Divides failing checks: those without which the service cannot serve, and the others. */
function sort(all: readonly Watched[]): { failing: string[]; degraded: string[] } {
  const failing: string[] = [];
  const degraded: string[] = [];
  for (const { check, reason } of all) {
    if (reason === undefined) continue;
    const hasAlternative =
      check.group !== undefined && all.some((other) => other.check.group === check.group && other.reason === undefined);
    const list = check.isOptional === true || hasAlternative ? degraded : failing;
    list.push(`${check.name}: ${reason}`);
  }
  return { failing, degraded };
}

/** Longest reason, in characters. */
const maxReason = 300;

/** Returns why a check failed, with the code of the system's error if there is one: "the vector store cannot be reached (ECONNREFUSED)". */
function reasonOf(thrown: unknown): string {
  const message =
    thrown instanceof ConnectError ? thrown.rawMessage : thrown instanceof Error ? thrown.message : `${thrown}`;
  const code = systemCodeOf(thrown);
  const text = code === undefined || message.includes(code) ? message : `${message} (${code})`;
  return text.replaceAll(/\s+/g, ' ').slice(0, maxReason);
}

/** Causes that are looked through; a chain is never longer. */
const maxCauses = 8;

function systemCodeOf(thrown: unknown): string | undefined {
  let error = thrown;
  for (let depth = 0; depth < maxCauses && error instanceof Error; depth++) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    error = error instanceof AggregateError ? error.errors[0] : error.cause;
  }
  return undefined;
}
