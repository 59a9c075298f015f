import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel';
import { deadlineExceeded, unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import { ChangedBytesError } from './answer-store.ts';

/** Keeps a slow or unreachable store from slowing look-ups: each call has a deadline, and consecutive failures open a circuit. */
export interface Guard {
  /** State of the circuit: 0 closed, 1 half open, 2 open. */
  readonly state: number;
  /** Returns the result of `work`. Throws DEADLINE_EXCEEDED after `timeoutMs`, and UNAVAILABLE immediately while the circuit is open. */
  run<T>(work: () => Promise<T>, timeoutMs: number): Promise<T>;
}

/** Consecutive failures that open the circuit. */
const failures = 5;
/** Time until one call may try again, in milliseconds: the circuit is cooling down. */
const openMs = 1000;

/** Creates the guard of a store. Calls `onChange` with each new state. */
export function createGuard(name: string, onChange: (state: number) => void): Guard {
  // Changed bytes are not a failure of the store: it answers.
  const policy = circuitBreaker(
    handleWhen((error) => !(error instanceof ChangedBytesError)),
    { breaker: new ConsecutiveBreaker(failures), halfOpenAfter: openMs },
  );
  policy.onStateChange((state) => onChange(stateOf(state)));
  const circuitOpen = unavailable(name, `the ${name} failed ${failures} times: circuit open, cooling down`);
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
      // One call finds out whether the store is back; cockatiel would make the others wait for its outcome.
      const isOpen =
        state === CircuitState.HalfOpen || (state === CircuitState.Open && performance.now() < openedAt + openMs);
      return isOpen
        ? Promise.reject(circuitOpen)
        : policy.execute(() => within(work, { timeoutMs, toTimeoutError: noAnswer }));
    },
  };
}

const noAnswer = (timeoutMs: number) => deadlineExceeded(`no answer within ${timeoutMs} ms`);

function stateOf(state: CircuitState): number {
  return state === CircuitState.Closed ? 0 : state === CircuitState.HalfOpen ? 1 : 2;
}
