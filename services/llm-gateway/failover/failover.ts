import type { ConnectError } from '@connectrpc/connect';
import type { GenerateRequest } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import type { AttemptResult } from '../attempts/attempt-state.ts';
import { ProviderError } from '../providers/error.ts';
import type { BreakerPermit } from '../targets/breaker.ts';
import { clocksOf, type Target } from '../targets/target.ts';
import { firstTokenMs, initialState, next, type PlanInput, plan, retryAfterMs, type TargetView } from './state.ts';
import { noTargetError, toCallerError } from './to-rpc-error.ts';

/** The targets of one request, and its one budget of attempts and time, for retries and for failover to other targets. */
export interface Failover {
  /** Attempts so far. */
  readonly attemptCount: number;
  /**
   * Waits for the backoff and for a slot, and returns the permit of the next attempt; `undefined` if the budget is used up or no target
   * remains. `prefersPrefill`: a target that can continue a partial answer comes first; `requiresPrefill`: no other one is called. Throws the signal's reason.
   */
  acquire(prefersPrefill: boolean, requiresPrefill?: boolean): Promise<AttemptPermit | undefined>;
  /** Returns a permit at another target than `target` if an attempt can start there immediately; for hedging. */
  tryAcquireOther(target: Target): AttemptPermit | undefined;
  /** Records how an attempt failed. `continues`: whether it continued a partial answer. */
  recordFailure(target: Target, result: AttemptResult, continues: boolean): void;
  /** Excludes the target from further attempts of this request. */
  exclude(target: Target): void;
  /** Returns whether a remaining target takes longer prompts than this one, or may. */
  hasLongerContext(target: Target): boolean;
  /** Returns the error for the caller when no target remains. */
  toError(): ConnectError;
}

/** Permission for one attempt: a slot of the target and a permit of its breaker. The attempt releases both. */
export interface AttemptPermit {
  readonly target: Target;
  /** Number of the attempt in its request, from 1. */
  readonly number: number;
  /** Whether it continues a partial answer. */
  readonly continues: boolean;
  readonly breaker: BreakerPermit;
  releaseSlot(): void;
  /** Longest wait for the first content, in milliseconds. */
  readonly firstTokenMs: number;
}

/** What failover depends on. */
export interface FailoverOptions {
  /** In the order to try them; at least one. */
  targets: readonly Target[];
  maxAttempts: number;
  /** Longest wait that a provider may ask for so that the request waits for it instead of going to the next target, in milliseconds. */
  stayMs: number;
  /** Deadline of the request, by `performance.now()`. */
  deadlineAt: number;
  signal: AbortSignal;
  /** A number from 0 up to 1. */
  random: () => number;
  /** The request: how it may end decides for how long a target may take. */
  request: Pick<GenerateRequest, 'midStreamPolicy'>;
}

/** Longest wait for a slot of a target, in milliseconds. */
const slotWaitMs = 5000;

/** Creates the failover of a request: it executes the plans of `state.ts` and reports their events to it. */
export function createFailover({
  targets,
  maxAttempts,
  stayMs,
  deadlineAt,
  signal,
  random,
  request,
}: FailoverOptions): Failover {
  let state = initialState(targets.length);
  const views = () => targets.map((target) => viewOf(target, request));
  const inputAt = (now: number, prefersPrefill = false, requiresPrefill = false): PlanInput => {
    return { views: views(), now, deadlineAt, maxAttempts, prefersPrefill, requiresPrefill };
  };

  /** Starts an attempt in a slot, unless the circuit of the target does not let it pass. */
  const start = (index: number, releaseSlot: () => void, continues: boolean): AttemptPermit | undefined => {
    const target = targets[index] as Target;
    const breaker = target.breaker.tryAcquire();
    const now = performance.now();
    if (breaker === undefined) {
      releaseSlot();
      state = next(state, { kind: 'circuit-open', index, now });
      return undefined;
    }
    state = next(state, { kind: 'started', index });
    const number = state.attemptCount;
    return { target, number, continues, breaker, releaseSlot, firstTokenMs: firstTokenMs(state, index, inputAt(now)) };
  };
  /** Tries the targets in their order. `isBusy`: none of them had a free slot. */
  const tryStart = (indexes: readonly number[], continues: boolean) => {
    let isBusy = true;
    for (const index of indexes) {
      const releaseSlot = targets[index]?.slots.tryAcquire();
      if (releaseSlot === undefined) continue;
      isBusy = false;
      const permit = start(index, releaseSlot, continues);
      if (permit !== undefined) return { permit, isBusy };
    }
    return { permit: undefined, isBusy };
  };
  const waitForSlot = async (index: number, continues: boolean, now: number): Promise<AttemptPermit | undefined> => {
    const { slots } = targets[index] as Target;
    try {
      const releaseSlot = await slots.acquire(signal, Math.min(slotWaitMs, deadlineAt - now));
      return start(index, releaseSlot, continues);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ProviderError)) throw error;
      state = next(state, { kind: 'no-slot', index, error });
      return undefined;
    }
  };

  return {
    get attemptCount() {
      return state.attemptCount;
    },
    async acquire(prefersPrefill, requiresPrefill) {
      for (;;) {
        signal.throwIfAborted();
        const now = performance.now();
        const step = plan(state, inputAt(now, prefersPrefill, requiresPrefill));
        if (step.kind === 'exhausted') return undefined;
        if (step.kind === 'wait') {
          await sleep(step.ms, signal);
          continue;
        }
        const { permit, isBusy } = tryStart(step.indexes, step.continues);
        if (permit !== undefined) return permit;
        if (!isBusy) continue;
        const waited = await waitForSlot(step.indexes[0] as number, step.continues, now);
        if (waited !== undefined) return waited;
      }
    },
    tryAcquireOther(target) {
      const step = plan(state, inputAt(performance.now()));
      if (step.kind !== 'try') return undefined;
      const others = step.indexes.filter((index) => targets[index] !== target);
      return tryStart(others, false).permit;
    },
    recordFailure(target, { error: thrown, reason, hasContent }, continues) {
      const error =
        thrown ?? new ProviderError({ remedy: 'retry', kind: 'broken', code: 'truncated', message: reason });
      const index = targets.indexOf(target);
      state = next(state, {
        kind: 'failed',
        index,
        error,
        hasContent,
        continues,
        stayMs,
        now: performance.now(),
        // A failure without a retry needs no jitter.
        random: error.remedy === 'retry' ? random() : 0,
      });
      const { remedy, kind, retryAfterMs: wait } = error;
      const isLimited = kind === 'rate-limited' || kind === 'overloaded';
      if (remedy === 'retry' && isLimited && wait !== undefined) target.coolDown(wait);
    },
    exclude(target) {
      state = next(state, { kind: 'excluded', index: targets.indexOf(target) });
    },
    hasLongerContext(target) {
      const { contextTokens: own } = target.capabilities;
      return targets.some((other, index) => {
        const { contextTokens } = other.capabilities;
        // An unknown context may be longer.
        return !state.candidates[index]?.isExcluded && other !== target && (contextTokens === 0 || contextTokens > own);
      });
    },
    toError() {
      const waitMs = retryAfterMs(state, views(), performance.now());
      const { failure, attemptCount } = state;
      if (failure === undefined) return noTargetError(targets, waitMs);
      const target = targets[failure.index] as Target;
      if (failure.error.remedy !== 'retry') return toCallerError(failure.error, target, undefined, 0);
      // After a single attempt the caller may retry: it multiplies nothing.
      const attemptsLeft = attemptCount > 1 ? Math.max(0, maxAttempts - attemptCount) : undefined;
      return toCallerError(failure.error, target, waitMs, attemptsLeft);
    },
  };
}

function viewOf(target: Target, request: FailoverOptions['request']): TargetView {
  const { breaker, coolDownMs, capabilities } = target;
  return {
    circuitWaitMs: breaker.waitMs(),
    coolDownMs: coolDownMs(),
    canPrefill: capabilities.prefill,
    firstTokenMs: clocksOf(target, request).firstTokenMs,
  };
}
