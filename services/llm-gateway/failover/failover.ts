import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import type { AttemptResult, Turn } from '../attempts/attempt.ts';
import { ProviderError } from '../providers/error.ts';
import type { Target } from '../targets/target.ts';
import { toCallerError } from './to-rpc-error.ts';

/** The targets of one request, and its one budget of attempts and time, whether it retries or moves on. */
export interface Failover {
  /** Attempts so far. */
  readonly attemptCount: number;
  /**
   * The next turn, after the wait that it needs; `undefined` where the budget is spent or nobody is left. `wantsPrefill`: a target that
   * can go on from a part of an answer comes first. Throws the signal's reason.
   */
  pick(wantsPrefill: boolean): Promise<Turn | undefined>;
  /** A turn at another target than `target`, where one can start at once; for hedging. */
  tryOther(target: Target): Turn | undefined;
  /** Takes note of how an attempt failed. */
  note(target: Target, result: AttemptResult, continues: boolean): void;
  /** No more of this target in this request. */
  leave(target: Target): void;
  /** Whether a target that is not left takes longer prompts than this one, or may. */
  hasLonger(target: Target): boolean;
  /** Why nobody is left, for the caller. */
  failure(): ConnectError;
}

/** What a ring goes by. */
export interface FailoverOptions {
  /** In the order to try them; at least one. */
  targets: readonly Target[];
  maxAttempts: number;
  /** When the request's time ends, by `performance.now()`. */
  deadlineAt: number;
  signal: AbortSignal;
  /** A number from 0 up to 1. */
  random: () => number;
}

interface Place {
  target: Target;
  attempts: number;
  /** Not before this, by `performance.now()`. */
  readyAt: number;
  isLeft: boolean;
  rejectsPrefix: boolean;
  error: ProviderError | undefined;
}

/** First and longest pause between attempts at one target, in milliseconds. */
const firstPauseMs = 250;
const longestPauseMs = 8000;
/** Longest wait for a slot of a target, in milliseconds. */
const slotWaitMs = 5000;
/** A wait that is worth it to keep the part of an answer that there is, in milliseconds. */
const prefillWaitMs = 2000;

/** Creates the ring of a request. */
export function createFailover({ targets, maxAttempts, deadlineAt, signal, random }: FailoverOptions): Failover {
  const places = targets.map(
    (target): Place => ({ target, attempts: 0, readyAt: 0, isLeft: false, rejectsPrefix: false, error: undefined }),
  );
  const placeOf = (target: Target) => places.find((place) => place.target === target) as Place;
  let attemptCount = 0;
  // The failure to tell of: one that another try may mend, before one that it may not.
  let told: { target: Target; error: ProviderError } | undefined;

  const readyAtOf = ({ target, readyAt }: Place, now: number) => {
    const coolDownMs = target.coolDownMs();
    return coolDownMs > 0 ? Math.max(readyAt, now + coolDownMs) : readyAt;
  };
  const canContinue = ({ target, rejectsPrefix }: Place) => target.capabilities.prefill && !rejectsPrefix;
  const candidates = (now: number) =>
    places
      .filter((place) => !place.isLeft && place.target.breaker.waitMs() === 0 && readyAtOf(place, now) < deadlineAt)
      .map((place, index) => ({ place, index, waitMs: Math.max(0, readyAtOf(place, now) - now) }))
      .sort((a, b) => a.waitMs - b.waitMs || a.place.attempts - b.place.attempts || a.index - b.index);
  const enter = (place: Place, freeSlot: () => void, continues: boolean): Turn | undefined => {
    const pass = place.target.breaker.tryAcquire();
    if (pass === undefined) {
      freeSlot();
      // Another request is trying it out, or will be in a moment.
      place.readyAt = performance.now() + 5;
      return undefined;
    }
    place.attempts += 1;
    attemptCount += 1;
    return { target: place.target, number: attemptCount, continues, pass, freeSlot, firstTokenMs: fairShare(place) };
  };
  // Where the time left is less than the clocks of all who could still be asked, the one that is asked now leaves some to them.
  const fairShare = ({ target }: Place): number => {
    const own = target.clocks.firstTokenMs;
    const leftMs = deadlineAt - performance.now();
    const others = places
      .filter((place) => place.target !== target && !place.isLeft && place.target.breaker.waitMs() === 0)
      .slice(0, Math.max(0, maxAttempts - attemptCount));
    if (others.length === 0) return own;
    const theirs = others.reduce((sum, place) => sum + place.target.clocks.firstTokenMs, 0);
    return Math.min(own, Math.max(leftMs - theirs, leftMs / (1 + others.length)));
  };
  const fail = (place: Place, error: ProviderError) => {
    place.error = error;
    if (told === undefined || told.error.remedy !== 'retry' || error.remedy === 'retry') {
      told = { target: place.target, error };
    }
  };
  const pauseAfter = (attempts: number) =>
    Math.min(longestPauseMs, firstPauseMs * 2 ** Math.max(0, attempts - 1)) * (0.5 + random() / 2);

  return {
    get attemptCount() {
      return attemptCount;
    },
    async pick(wantsPrefill) {
      for (;;) {
        signal.throwIfAborted();
        if (attemptCount >= maxAttempts) return undefined;
        const now = performance.now();
        const open = candidates(now);
        const going = wantsPrefill
          ? open.filter(({ place, waitMs }) => canContinue(place) && waitMs < prefillWaitMs)
          : [];
        const continues = going.length > 0;
        const [first, ...others] = continues ? going : open;
        if (first === undefined) return undefined;
        if (first.waitMs > 0) {
          await sleep(first.waitMs, signal);
          continue;
        }
        const ready = [first, ...others].filter(({ waitMs }) => waitMs === 0);
        let turn: Turn | undefined;
        let isBusy = true;
        for (const { place } of ready) {
          const freeSlot = place.target.slots.tryAcquire();
          if (freeSlot === undefined) continue;
          isBusy = false;
          turn = enter(place, freeSlot, continues);
          if (turn !== undefined) return turn;
        }
        if (!isBusy) continue;
        try {
          const freeSlot = await first.place.target.slots.take(signal, Math.min(slotWaitMs, deadlineAt - now));
          turn = enter(first.place, freeSlot, continues);
          if (turn !== undefined) return turn;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof ProviderError)) throw error;
          fail(first.place, error);
          first.place.isLeft = true;
        }
      }
    },
    tryOther(target) {
      if (attemptCount >= maxAttempts) return undefined;
      for (const { place, waitMs } of candidates(performance.now())) {
        if (place.target === target || waitMs > 0) continue;
        const freeSlot = place.target.slots.tryAcquire();
        const turn = freeSlot && enter(place, freeSlot, false);
        if (turn !== undefined) return turn;
      }
      return undefined;
    },
    note(target, { error: thrown, reason, hasContent }, continues) {
      const place = placeOf(target);
      const error =
        thrown ?? new ProviderError({ remedy: 'retry', kind: 'broken', code: 'truncated', message: reason });
      const { remedy, retryAfterMs, kind } = error;
      if (continues && !hasContent && kind === 'invalid') {
        place.rejectsPrefix = true;
        // It says nothing of the target, which may well begin anew, and sooner than one that has failed.
        place.attempts -= 1;
        return;
      }
      fail(place, error);
      if (remedy !== 'retry') {
        place.isLeft = true;
        return;
      }
      // What the provider asks for is a floor: the jitter comes on top, so that those who wait do not all come back at once.
      place.readyAt = performance.now() + (retryAfterMs ?? 0) + pauseAfter(place.attempts);
      if (retryAfterMs !== undefined && (kind === 'rate-limited' || kind === 'overloaded'))
        target.coolDown(retryAfterMs);
    },
    leave(target) {
      placeOf(target).isLeft = true;
    },
    hasLonger(target) {
      const { contextTokens: own } = target.capabilities;
      return places.some(({ target: other, isLeft }) => {
        const { contextTokens } = other.capabilities;
        // A context that is not known may be longer.
        return !isLeft && other !== target && (contextTokens === 0 || contextTokens > own);
      });
    },
    failure() {
      const now = performance.now();
      const waits = places
        .filter(({ isLeft }) => !isLeft)
        .map((place) => Math.max(readyAtOf(place, now) - now, place.target.breaker.waitMs()));
      const retryAfterMs = waits.length === 0 ? undefined : Math.max(0, Math.min(...waits));
      if (told !== undefined) {
        const { target, error } = told;
        if (error.remedy !== 'retry') return toCallerError(error, target, undefined, 0);
        // A single attempt multiplies nothing: then a caller may well try again.
        const attemptsLeft = attemptCount > 1 ? Math.max(0, maxAttempts - attemptCount) : undefined;
        return toCallerError(error, target, retryAfterMs, attemptsLeft);
      }
      const names = targets.map(({ name }) => name).join(', ');
      const metadata = { dependency: 'llm provider', model: names };
      const parts = { metadata, retryAfterMs: retryAfterMs ?? 1000 };
      if (targets.every((target) => target.coolDownMs() > 0)) {
        const message = `the provider's rate limit is reached at ${names}`;
        return rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, message, parts);
      }
      const message = `${names}: left alone after failures in a row, or for want of time`;
      return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, parts);
    },
  };
}
