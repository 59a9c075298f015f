import { Code, ConnectError } from '@connectrpc/connect';
import { circuitOpen, deadlineExceeded } from '../base/errors.ts';
import { type Bounds, within } from '../base/within.ts';
import { type BreakerState, type Circuit, nextCircuit, type Outcome, stateOf } from './circuit.ts';

/**
 * The one policy for calls to what may fail: a hung dependency costs one wait, and a dead one a few quick failures; after that calls end
 * immediately until one of them, a probe, has found out that it replies again.
 *
 * Slow is not dead. A call that ended without a reply says that the dependency hangs only if nothing came on any other call meanwhile, and
 * if it had waited for three times the 99th percentile of the last replies. Until that is known, and for shorter waits, five in a row count.
 */
export interface Breaker {
  /** 0 closed, 1 a probe is in flight, 2 open. */
  readonly state: BreakerState;
  /**
   * Begins a call. Throws UNAVAILABLE with RetryInfo if the circuit is open, or another call is the probe. `kind`: calls that take about the
   * same time, such as those of a method; there are few.
   */
  watch(kind?: string): WatchedCall;
  /** Runs `work` as {@link within} does, as one call. `isFailure`: whether an error is the dependency's. @default {@link isFailureOfDependency} */
  run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    bounds: Bounds<T>,
    isFailure?: (error: unknown) => boolean,
  ): Promise<T>;
}

/** A call. The first report counts; a call that is never reported says nothing. */
export interface WatchedCall {
  /**
   * Longest wait of a probe for the first sign of a reply, in milliseconds: what nothing has replied to for three times the usual, and for a
   * second, costs its caller no whole time limit. `undefined`: it is no probe, or the usual time is unknown.
   */
  readonly probeMs: number | undefined;
  /** The dependency replied, if only with an error of the caller. */
  heard(): void;
  /** The dependency failed: refused the connection, or replied that it cannot serve. */
  failed(): void;
  /**
   * The call has ended before any reply. `isLate`: by its deadline; otherwise its caller has left. Callers choose when they leave, and may
   * choose short deadlines: a wait says nothing if it is shorter than replies have usually taken, or than `leastMs`, nor does one whose
   * caller has left before it was too long for a slow reply. @default 200
   */
  ended(isLate: boolean, leastMs?: number): void;
}

/** A shorter wait, in milliseconds, never opens a circuit by itself. */
const leastWaitMs = 200;
/** A probe waits at least so long, in milliseconds. */
const leastProbeMs = 1000;
/** A wait of so many times the 99th percentile is no slow reply. */
const hungFactor = 3;
/** Times of replies that are remembered, and the fewest from which the percentile is taken. */
const maxTimes = 128;
const minTimes = 20;

/** Creates the breaker of a dependency. `name`: for errors. Calls `onChange` with each new state. `clock`: milliseconds that only grow. */
export function createBreaker(
  name: string,
  onChange: (state: BreakerState) => void = () => {},
  clock: () => number = () => performance.now(),
): Breaker {
  let circuit: Circuit = { kind: 'closed', failureCount: 0 };
  let heardCount = 0;
  const timesByKind = new Map<string, number[]>();
  const timesOf = (kind: string) => {
    const times = timesByKind.get(kind) ?? [];
    timesByKind.set(kind, times);
    return times;
  };

  const change = (next: Circuit) => {
    const before = stateOf(circuit);
    circuit = next;
    const after = stateOf(circuit);
    if (after !== before) onChange(after);
  };
  const enter = (nowMs: number): boolean => {
    if (circuit.kind === 'closed') return false;
    if (nowMs < circuit.untilMs) throw circuitOpen(name, circuit.untilMs - nowMs);
    // If this probe takes long, another one follows.
    change({ ...circuit, untilMs: nowMs + circuit.openMs, isProbing: true });
    return true;
  };
  const watch = (kind = ''): WatchedCall => {
    const times = timesOf(kind);
    const startedMs = clock();
    const isProbe = enter(startedMs);
    const heardBefore = heardCount;
    const waitedMs = () => clock() - startedMs;
    const isSilent = () => heardCount === heardBefore;
    const tooLongMs = () =>
      times.length < minTimes ? Number.POSITIVE_INFINITY : Math.max(leastWaitMs, hungFactor * percentile99(times));
    const isBeyondUsual = () => waitedMs() >= tooLongMs();
    const isWithinUsual = () => times.length > 0 && waitedMs() < percentile99(times);
    const longestMs = isProbe ? Math.max(leastProbeMs, tooLongMs()) : Number.POSITIVE_INFINITY;
    let isReported = false;
    const report = (outcome: Outcome) => {
      if (isReported) return;
      isReported = true;
      if (outcome === 'heard') {
        heardCount++;
        times.push(waitedMs());
        if (times.length > maxTimes) times.shift();
      }
      // The usual end of a call makes no object.
      if (outcome === 'heard' && circuit.kind === 'closed' && circuit.failureCount === 0) return;
      change(nextCircuit(circuit, outcome, isProbe, clock()));
    };
    return {
      probeMs: Number.isFinite(longestMs) ? longestMs : undefined,
      heard: () => report('heard'),
      failed: () => report(isSilent() && isBeyondUsual() ? 'hung' : 'failed'),
      ended(isLate, leastMs = leastWaitMs) {
        if (!isSilent() || waitedMs() < leastMs) report('unknown');
        else if (isBeyondUsual()) report(isLate ? 'hung' : 'failed');
        else report(isLate && !isWithinUsual() ? 'failed' : 'unknown');
      },
    };
  };
  return {
    get state() {
      return stateOf(circuit);
    },
    watch,
    async run(work, bounds, isFailure = isFailureOfDependency) {
      const call = watch();
      let isLate = false;
      const toTimeoutError = (timeoutMs: number) => {
        isLate = true;
        return (bounds.toTimeoutError ?? noReply)(timeoutMs);
      };
      const timeoutMs = Math.min(
        bounds.timeoutMs ?? Number.POSITIVE_INFINITY,
        call.probeMs ?? Number.POSITIVE_INFINITY,
      );
      const limits = { ...bounds, toTimeoutError, ...(Number.isFinite(timeoutMs) && { timeoutMs }) };
      try {
        const result = await within(work, limits);
        call.heard();
        return result;
      } catch (error) {
        const aborted = bounds.signals?.find((signal) => signal?.aborted);
        if (isLate) call.ended(true, 0);
        else if (aborted !== undefined) call.ended(isDeadline(aborted.reason));
        else if (isFailure(error)) call.failed();
        else call.heard();
        throw error;
      }
    },
  };
}

/** Reports whether a signal has aborted because of a deadline, by its reason; otherwise the caller has left. */
export function isDeadline(reason: unknown): boolean {
  if (reason instanceof ConnectError) return reason.code !== Code.Canceled;
  return reason instanceof Error && reason.name === 'TimeoutError';
}

function percentile99(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
}

const noReply = (timeoutMs: number) => deadlineExceeded(`no reply within ${timeoutMs} ms`);

/** Reports whether an error says that the dependency cannot serve: one of the network, or a status that is not the caller's mistake. */
export function isFailureOfDependency(error: unknown): boolean {
  return !(error instanceof ConnectError) || failureCodes.has(error.code);
}

const failureCodes: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown]);
