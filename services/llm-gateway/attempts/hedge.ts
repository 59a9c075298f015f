import { type Attempt, type AttemptResult, type Content, isBroken, isResult } from './attempt.ts';

/** The attempt that a request goes on with, and its first step. */
export interface FirstStep {
  attempt: Attempt;
  step: Content | AttemptResult;
}

/** Keeps second attempts to a share of the requests. */
export interface HedgeShare {
  /** One more request that may be hedged. */
  count(): void;
  /** Whether one more second attempt keeps to the share; then it counts. */
  tryAcquire(maxShare: number): boolean;
}

/** Requests over which the share is reckoned; older ones fade. */
const memory = 1000;

/** Creates an empty share. */
export function createHedgeShare(): HedgeShare {
  let requests = 0;
  let hedged = 0;
  return {
    count() {
      requests += 1;
      if (requests <= memory) return;
      requests /= 2;
      hedged /= 2;
    },
    tryAcquire(maxShare) {
      if (hedged + 1 > requests * maxShare) return false;
      hedged += 1;
      return true;
    },
  };
}

const late = Symbol('late');

/**
 * Runs an attempt to its first step, and where that does not come within `delayMs`, a second one beside it. The first content or
 * result of the model wins, and the other one is given up; a failure waits for the other. `onFailed` is told of a failure that the
 * request outlived. Throws only the caller's reason.
 */
export async function firstStepOf(
  first: Attempt,
  delayMs: number,
  startSecond: () => Attempt | undefined,
  onFailed: (attempt: Attempt, result: AttemptResult) => void,
): Promise<FirstStep> {
  const step = first.next();
  // Where the caller goes away both throw, and one of them is not waited for.
  step.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const delay = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => resolve(late), delayMs);
  });
  const early = await Promise.race([step, delay]).finally(() => clearTimeout(timer));
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

const lost = new DOMException('another attempt spoke first', 'AbortError');
