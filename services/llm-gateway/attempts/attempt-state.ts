import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Usage } from '../accounting/usage.ts';
import type { ProviderError } from '../providers/error.ts';

// The pure part of an attempt: what its events mean for its outcome, its charge and the breaker of its target.

/** The result of an attempt. */
export interface AttemptResult {
  outcome: Outcome;
  /** The provider's own word for the outcome, or what failed. */
  reason: string;
  /** `undefined`: the provider ended the stream by itself. */
  error: ProviderError | undefined;
  hasContent: boolean;
  usage: Usage;
  /** Whether the provider has probably done work that it charges for. */
  isCharged: boolean;
}

/** An attempt whose stream is open. */
export interface RunningAttempt {
  readonly phase: 'running';
  /** Whether the model can be charged for: it writes, and does not only quote. */
  readonly isGenerative: boolean;
  /** Whether the attempt probes a half-open circuit. */
  readonly isProbe: boolean;
  /** Whether the response has begun. */
  readonly hasStarted: boolean;
  readonly hasContent: boolean;
  /** The provider's terminal event; `undefined`: it has not arrived. */
  readonly end: { readonly outcome: Outcome; readonly reason: string } | undefined;
}

/** An attempt that is over. */
export interface FinishedAttempt {
  readonly phase: 'finished';
  readonly outcome: Outcome;
  readonly reason: string;
  readonly error: ProviderError | undefined;
  readonly hasContent: boolean;
  readonly hasStarted: boolean;
  readonly isCharged: boolean;
  /** Whether the provider has sent all of its usage: the stream has its terminal event. */
  readonly isWhole: boolean;
  readonly breakerReport: BreakerReport;
}

/**
 * What the breaker of the target learns. `ignore`: nothing about the target. `fail-again`: a probe that succeeded with its first content
 * has failed since, which counts as a new failure.
 */
export type BreakerReport = 'succeed' | 'fail' | 'fail-again' | 'ignore';

/** The state of an attempt. */
export type AttemptState = RunningAttempt | FinishedAttempt;

/** What happens to a running attempt. */
export type AttemptEvent =
  /** The response began. */
  | { readonly kind: 'started' }
  /** Content is returned to the request. */
  | { readonly kind: 'content' }
  /** The provider's terminal event; usage may follow it. */
  | { readonly kind: 'end'; readonly outcome: Outcome; readonly reason: string }
  | FinalEvent;

/** What finishes an attempt. */
export type FinalEvent =
  /** The stream has no more events. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly error: ProviderError }
  /** The caller left, or the request no longer needs the answer. */
  | { readonly kind: 'cancelled'; readonly reason: string };

/** Failures that say something about the target, not about the request or the rate of requests. */
const targetFaults: ReadonlySet<ProviderError['kind']> = new Set([
  'quota',
  'auth',
  'model-unknown',
  'overloaded',
  'timeout',
  'broken',
]);

/** Returns the state of an attempt that has just been sent. */
export function initialAttempt(isGenerative: boolean, isProbe: boolean): RunningAttempt {
  return {
    phase: 'running',
    isGenerative,
    isProbe,
    hasStarted: false,
    hasContent: false,
    end: undefined,
  };
}

/**
 * Returns the state after an event. A stream that closes without its terminal event is TRUNCATED, one that fails is UPSTREAM_ERROR:
 * neither is ever COMPLETE. After the terminal event a failure loses only the usage, so the outcome stays. A finished attempt stays as
 * it is.
 */
export function next(state: AttemptState, event: FinalEvent): FinishedAttempt;
export function next(state: AttemptState, event: AttemptEvent): AttemptState;
export function next(state: AttemptState, event: AttemptEvent): AttemptState {
  if (state.phase === 'finished') return state;
  switch (event.kind) {
    case 'started':
      return state.hasStarted ? state : { ...state, hasStarted: true };
    case 'content':
      return state.hasContent ? state : { ...state, hasStarted: true, hasContent: true };
    case 'end':
      return { ...state, end: { outcome: event.outcome, reason: event.reason } };
    case 'closed':
      if (state.end !== undefined) return finished(state, state.end.outcome, state.end.reason);
      return finished(state, Outcome.TRUNCATED, 'the stream ended without a terminal event');
    case 'failed':
      if (state.end !== undefined) return finished(state, state.end.outcome, state.end.reason);
      return finished(state, Outcome.UPSTREAM_ERROR, event.error.message, event.error);
    case 'cancelled':
      return finished(state, Outcome.CANCELLED, event.reason);
    default:
      return event satisfies never;
  }
}

function finished(state: RunningAttempt, outcome: Outcome, reason: string, error?: ProviderError): FinishedAttempt {
  const { hasStarted, hasContent, end, isGenerative } = state;
  // A provider may have begun before it was cancelled or timed out; one that answered with an error has not.
  const mayHaveBegun = outcome === Outcome.CANCELLED || (error?.kind === 'timeout' && error.code !== 'connect_timeout');
  return {
    phase: 'finished',
    outcome,
    reason,
    error,
    hasContent,
    hasStarted,
    isCharged: isGenerative && (hasStarted || mayHaveBegun),
    isWhole: end !== undefined && !isBroken(end),
    breakerReport: breakerReport(state, outcome, error),
  };
}

function breakerReport(
  { isProbe, hasContent }: RunningAttempt,
  outcome: Outcome,
  error: ProviderError | undefined,
): BreakerReport {
  if (outcome === Outcome.CANCELLED) return 'ignore';
  if (error !== undefined && !targetFaults.has(error.kind)) return 'ignore';
  if (!isBroken({ outcome })) return 'succeed';
  return isProbe && hasContent ? 'fail-again' : 'fail';
}

/** Returns whether an attempt ended early: with neither a result of the model nor a refusal. */
export function isBroken({ outcome }: Pick<AttemptResult, 'outcome'>): boolean {
  return outcome === Outcome.TRUNCATED || outcome === Outcome.UPSTREAM_ERROR || outcome === Outcome.UNSPECIFIED;
}
