import { within } from '#kit/base/within.ts';
import type { Content } from '../providers/llm-provider.ts';
import { type Attempt, isResult } from './attempt.ts';
import { type AttemptResult, isBroken } from './attempt-state.ts';

/** The attempt that a request continues with, and its first step. */
export interface FirstStep {
  attempt: Attempt;
  step: Content | AttemptResult;
}

/** Limits hedged requests to a share of all requests. */
export interface HedgeShare {
  /** Counts a request that may be hedged. */
  count(): void;
  /** Returns whether another second attempt is within the share, and counts it. */
  tryAcquire(maxShare: number): boolean;
}

/** Number of requests over which the share is computed; older ones fade. */
const windowCount = 1000;

/** Creates an empty share. */
export function createHedgeShare(): HedgeShare {
  let requests = 0;
  let hedges = 0;
  return {
    count() {
      requests += 1;
      if (requests <= windowCount) return;
      requests /= 2;
      hedges /= 2;
    },
    tryAcquire(maxShare) {
      if (hedges + 1 > requests * maxShare) return false;
      hedges += 1;
      return true;
    },
  };
}

const late = Symbol('late');

/**
 * Runs an attempt to its first step, and a second one beside it if the first step takes longer than `delayMs`. The first content or
 * result of a model wins, and the other attempt is cancelled; after a failure the other attempt decides. `onFailed` receives a failure
 * that the request survived. Throws only the caller's reason.
 */
export async function hedged(
  first: Attempt,
  delayMs: number,
  startSecond: () => Attempt | undefined,
  onFailed: (attempt: Attempt, result: AttemptResult) => void,
): Promise<FirstStep> {
  const step = first.next();
  // If the caller leaves, both attempts throw, and only one of them is awaited.
  step.catch(() => {});
  const early = await within<Content | AttemptResult | typeof late>(() => step, {
    timeoutMs: delayMs,
    toTimeoutError: () => late,
  }).catch((reason): typeof late => {
    if (reason === late) return late;
    throw reason;
  });
  if (early !== late) return { attempt: first, step: early };
  const second = startSecond();
  if (second === undefined) return { attempt: first, step: await step };
  const of = async (attempt: Attempt, work: Promise<Content | AttemptResult>) => ({ attempt, step: await work });
  const both = [of(first, step), of(second, second.next())] as const;
  for (const work of both) work.catch(() => {});
  const sooner = await Promise.race(both);
  const other = sooner.attempt === first ? both[1] : both[0];
  if (!isResult(sooner.step) || !isBroken(sooner.step)) {
    (sooner.attempt === first ? second : first).cancel(lost);
    return sooner;
  }
  onFailed(sooner.attempt, sooner.step);
  return other;
}

const lost = new DOMException('another attempt was faster', 'AbortError');
