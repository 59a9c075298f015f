import type { ProviderError } from '../providers/error.ts';

// The pure part of failover: which target gets the next attempt of a request, and when. Times are of `performance.now()`.

/** What failover knows of one target of the request. */
export interface Candidate {
  /** Attempts of this request at the target. */
  readonly attempts: number;
  /** The backoff of this request ends at this time. */
  readonly readyAt: number;
  /** Whether this request makes no more attempts at the target. */
  readonly isExcluded: boolean;
  /** Whether the target has rejected a partial answer to continue. */
  readonly rejectsPrefill: boolean;
}

/** The state of one request: its targets, in the order in which to try them, and the budget that it has used. */
export interface FailoverState {
  readonly candidates: readonly Candidate[];
  readonly attemptCount: number;
  /** The failure to report when no target remains; a failure that a retry can fix has priority. */
  readonly failure: { readonly index: number; readonly error: ProviderError } | undefined;
  /** The target that gets the next attempt although others are ready sooner: its failure is likely to pass in a moment. */
  readonly stay: number | undefined;
}

/** What happened to the target at `index`. */
export type FailoverEvent = { readonly index: number } & (
  | { readonly kind: 'started' }
  /** Another request is probing the target's open circuit. */
  | { readonly kind: 'circuit-open'; readonly now: number }
  /** No slot of the target became free in time. */
  | { readonly kind: 'no-slot'; readonly error: ProviderError }
  | { readonly kind: 'excluded' }
  | {
      readonly kind: 'failed';
      readonly error: ProviderError;
      /** Whether the attempt had returned content. */
      readonly hasContent: boolean;
      /** Whether the attempt continued a partial answer. */
      readonly continues: boolean;
      readonly now: number;
      /** A number from 0 up to 1, for the jitter. */
      readonly random: number;
      /** Longest wait that a provider may ask for so that the request stays, in milliseconds; 0: it never stays. */
      readonly stayMs: number;
    }
);

/** First and longest backoff between attempts at one target, in milliseconds. */
const firstBackoffMs = 250;
const maxBackoffMs = 8000;
/** Time until a target is considered again whose circuit another request is probing, in milliseconds. */
const probeWaitMs = 5;
/** Longest wait for a target that can continue the partial answer, in milliseconds. */
const prefillWaitMs = 2000;

/** Returns the state of a request before its first attempt. */
export function initialState(targetCount: number): FailoverState {
  const candidate: Candidate = { attempts: 0, readyAt: 0, isExcluded: false, rejectsPrefill: false };
  return {
    candidates: Array.from({ length: targetCount }, () => candidate),
    attemptCount: 0,
    failure: undefined,
    stay: undefined,
  };
}

/** Returns the state after an event. */
export function next(state: FailoverState, event: FailoverEvent): FailoverState {
  const candidate = state.candidates[event.index];
  if (candidate === undefined) return state;
  switch (event.kind) {
    case 'started':
      return {
        ...withCandidate(state, event.index, { attempts: candidate.attempts + 1 }),
        attemptCount: state.attemptCount + 1,
        stay: undefined,
      };
    case 'circuit-open':
      return withCandidate(state, event.index, { readyAt: event.now + probeWaitMs });
    case 'no-slot':
      return withCandidate(withFailure(state, event.index, event.error), event.index, { isExcluded: true });
    case 'excluded':
      return withCandidate(state, event.index, { isExcluded: true });
    case 'failed': {
      const { error, hasContent, continues, now, random } = event;
      if (continues && !hasContent && error.kind === 'invalid') {
        // The target rejected the partial answer, not the request: it may begin a new answer, before targets that have failed.
        return withCandidate(state, event.index, { rejectsPrefill: true, attempts: candidate.attempts - 1 });
      }
      const failed = withFailure(state, event.index, error);
      if (error.remedy !== 'retry') return withCandidate(failed, event.index, { isExcluded: true });
      // The provider's wait is a minimum. The jitter is added to it, so that waiting requests do not all return at the same time.
      const readyAt = now + (error.retryAfterMs ?? 0) + backoffMs(candidate.attempts, random);
      const stays = !hasContent && candidate.attempts === 1 && willPass(error, event.stayMs);
      return { ...withCandidate(failed, event.index, { readyAt }), stay: stays ? event.index : undefined };
    }
    default:
      return event satisfies never;
  }
}

/** Reports whether a first failure is likely to pass in a moment: a rate limit for a short time, or a fault without any reason. */
function willPass({ status, retryAfterMs: wait }: ProviderError, stayMs: number): boolean {
  return wait === undefined ? status === 500 && stayMs > 0 : wait <= stayMs;
}

/** The present state of a target, which all requests share. */
export interface TargetView {
  /** Time until the circuit lets a request pass, in milliseconds; 0: it is closed or ready for a probe. */
  readonly circuitWaitMs: number;
  /** Time for which the provider asked all requests to back off, in milliseconds; 0: none. */
  readonly coolDownMs: number;
  /** Whether it can continue a partial answer. */
  readonly canPrefill: boolean;
  /** Its longest wait for a first token, in milliseconds. */
  readonly firstTokenMs: number;
}

/** What a plan depends on beside the state. */
export interface PlanInput {
  /** The targets, in the order of the candidates. */
  readonly views: readonly TargetView[];
  readonly now: number;
  readonly deadlineAt: number;
  readonly maxAttempts: number;
  /** Whether a target that can continue the partial answer is preferred. */
  readonly prefersPrefill: boolean;
  /** Whether only a target that can continue the partial answer may be called. @default false */
  readonly requiresPrefill?: boolean;
}

/** What to do next. */
export type Plan =
  /** The budget is used up, or no target can be called before the deadline. */
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'wait'; readonly ms: number }
  /** Call one of these targets, in this order. `continues`: with the partial answer. */
  | { readonly kind: 'try'; readonly indexes: readonly number[]; readonly continues: boolean };

/**
 * Returns what to do next. The target at which the request stays is first, if half of its time is left after the wait. Targets that can be
 * called now precede those that have to wait; of those, the ones with fewer attempts come first, then the order of the list. A wait that ends
 * after the deadline is not begun.
 */
export function plan(state: FailoverState, input: PlanInput): Plan {
  if (state.attemptCount >= input.maxAttempts) return { kind: 'exhausted' };
  const open = callable(state, input);
  const continuing = input.prefersPrefill
    ? open.filter(({ index, waitMs }) => canContinue(state, input, index) && waitMs < prefillWaitMs)
    : [];
  const continues = continuing.length > 0;
  const chosen = continues || input.requiresPrefill === true ? continuing : open;
  const longestStayMs = (input.deadlineAt - input.now) / 2;
  const first = chosen.find(({ index, waitMs }) => index === state.stay && waitMs <= longestStayMs) ?? chosen[0];
  if (first === undefined) return { kind: 'exhausted' };
  if (first.waitMs > 0) return { kind: 'wait', ms: first.waitMs };
  const ready = chosen.filter((target) => target !== first && target.waitMs === 0);
  return { kind: 'try', indexes: [first, ...ready].map(({ index }) => index), continues };
}

/**
 * Returns how long an attempt at `index` may wait for its first content, in milliseconds: the timeout of the target, or less if the
 * time that remains is shorter than the timeouts of all targets that may still be called. It then leaves them their share.
 */
export function firstTokenMs(state: FailoverState, index: number, input: PlanInput): number {
  const own = input.views[index]?.firstTokenMs ?? 0;
  const leftMs = input.deadlineAt - input.now;
  const others = input.views
    .filter((view, at) => at !== index && !state.candidates[at]?.isExcluded && view.circuitWaitMs === 0)
    .slice(0, Math.max(0, input.maxAttempts - state.attemptCount));
  if (others.length === 0) return own;
  const theirs = others.reduce((sum, view) => sum + view.firstTokenMs, 0);
  return Math.min(own, Math.max(leftMs - theirs, leftMs / (1 + others.length)));
}

/** Returns the time until the first remaining target may be called, in milliseconds; `undefined`: none remains. */
export function retryAfterMs(state: FailoverState, views: readonly TargetView[], now: number): number | undefined {
  const waits = state.candidates.flatMap((candidate, index) => {
    const view = views[index];
    if (candidate.isExcluded || view === undefined) return [];
    return [Math.max(readyAt(candidate, view, now) - now, view.circuitWaitMs)];
  });
  return waits.length === 0 ? undefined : Math.max(0, Math.min(...waits));
}

interface Callable {
  readonly index: number;
  readonly waitMs: number;
  readonly attempts: number;
}

function callable(state: FailoverState, { views, now, deadlineAt }: PlanInput): Callable[] {
  return state.candidates
    .flatMap((candidate, index): Callable[] => {
      const view = views[index];
      if (candidate.isExcluded || view === undefined || view.circuitWaitMs > 0) return [];
      const at = readyAt(candidate, view, now);
      return at < deadlineAt ? [{ index, waitMs: Math.max(0, at - now), attempts: candidate.attempts }] : [];
    })
    .sort((a, b) => a.waitMs - b.waitMs || a.attempts - b.attempts || a.index - b.index);
}

function canContinue({ candidates }: FailoverState, { views }: PlanInput, index: number): boolean {
  return views[index]?.canPrefill === true && candidates[index]?.rejectsPrefill === false;
}

function readyAt(candidate: Candidate, { coolDownMs }: TargetView, now: number): number {
  return coolDownMs > 0 ? Math.max(candidate.readyAt, now + coolDownMs) : candidate.readyAt;
}

function backoffMs(attempts: number, random: number): number {
  return Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.max(0, attempts - 1)) * (0.5 + random / 2);
}

function withCandidate(state: FailoverState, index: number, change: Partial<Candidate>): FailoverState {
  const candidates = state.candidates.map((candidate, at) => (at === index ? { ...candidate, ...change } : candidate));
  return { ...state, candidates };
}

function withFailure(state: FailoverState, index: number, error: ProviderError): FailoverState {
  const known = state.failure;
  const isReplaced = known === undefined || known.error.remedy !== 'retry' || error.remedy === 'retry';
  return isReplaced ? { ...state, failure: { index, error } } : state;
}
