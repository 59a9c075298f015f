import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { deadlineExceeded, unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import { ChangedBytesError } from './answer-store.ts';

/** Keeps a store that is slow or away from slowing look-ups: each call has a deadline, and after failures in a row none is made for a while. */
export interface Guard {
  /** 0 closed, 1 half open, 2 open. */
  readonly state: number;
  /** The result of `work`. Throws DEADLINE_EXCEEDED after `timeoutMs`, and UNAVAILABLE at once while the store is left alone. */
  run<T>(work: () => Promise<T>, timeoutMs: number): Promise<T>;
}

/** Failures in a row after which a store is left alone. */
const failures = 5;
/** Time until one call may try again, in milliseconds. */
const openMs = 1000;

/** Creates the guard of a store. `onChange` is told of each new state. */
export function createGuard(name: string, onChange: (state: number) => void): Guard {
  // Bytes that have changed are no failure: the store is there and answers.
  const policy = circuitBreaker(
    handleWhen((error) => !(error instanceof ChangedBytesError)),
    { breaker: new ConsecutiveBreaker(failures), halfOpenAfter: openMs },
  );
  policy.onStateChange((state) => onChange(stateOf(state)));
  const leftAlone = unavailable(name, `the ${name} has failed and is left alone for a moment`);
  let openedAt = 0;
  policy.onBreak(() => {
    openedAt = performance.now();
  });
  return {
    get state() {
      return stateOf(policy.state);
    },
    run(work, timeoutMs) {
      const { state } = policy;
      // One call finds out whether the store is back; cockatiel would let the others wait for what it finds.
      const isLeftAlone =
        state === CircuitState.HalfOpen || (state === CircuitState.Open && performance.now() < openedAt + openMs);
      return isLeftAlone
        ? Promise.reject(leftAlone)
        : policy.execute(() => within(work, { timeoutMs, toTimeoutError: noAnswer }));
    },
  };
}

const noAnswer = (timeoutMs: number) => deadlineExceeded(`no answer within ${timeoutMs} ms`);

function stateOf(state: CircuitState): number {
  return state === CircuitState.Closed ? 0 : state === CircuitState.HalfOpen ? 1 : 2;
}
