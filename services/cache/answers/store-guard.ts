import { deadlineExceeded } from '#kit/base/errors.ts';
import { createBreaker } from '#kit/breaker/breaker.ts';
import { ChangedBytesError } from './answer-store.ts';

/** Keeps a slow or unreachable store from slowing look-ups: each call has a deadline, and the kit's breaker ends calls to a store that hangs. */
export interface Guard {
  /** State of the circuit: 0 closed, 1 half open, 2 open. */
  readonly state: number;
  /** Returns the result of `work`. Throws DEADLINE_EXCEEDED after `timeoutMs`, and UNAVAILABLE immediately while the circuit is open. */
  run<T>(work: () => Promise<T>, timeoutMs: number): Promise<T>;
}

/** Creates the guard of a store. Calls `onChange` with each new state. */
export function createGuard(name: string, onChange: (state: number) => void): Guard {
  const breaker = createBreaker(name, onChange);
  return {
    get state() {
      return breaker.state;
    },
    run: (work, timeoutMs) => breaker.run(() => work(), { timeoutMs, toTimeoutError: noAnswer }, isFailure),
  };
}

// Changed bytes are not a failure of the store: it answers.
const isFailure = (error: unknown) => !(error instanceof ChangedBytesError);

const noAnswer = (timeoutMs: number) => deadlineExceeded(`no answer within ${timeoutMs} ms`);
