import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleType } from 'cockatiel';
import type { BreakerSettings } from '../config.ts';

/** Leaves a target alone after failures in a row, until one request, and no other beside it, has found it well again. */
export interface Breaker {
  /** 0 closed, 1 half open, 2 open. */
  readonly state: number;
  /** Time until a request may try, in milliseconds; 0: now. While one is trying for all others: what was waited before it. */
  waitMs(): number;
  /** Leave to make an attempt; `undefined` where the target is left alone, or another request is trying it out. */
  tryAcquire(): BreakerPermit | undefined;
}

/** Leave to make one attempt. The first call counts, later ones change nothing. */
export interface BreakerPermit {
  /** Whether this attempt decides if the target is well. */
  readonly isProbe: boolean;
  succeed(): void;
  fail(): void;
  /** The attempt told nothing of the target: it was cancelled, or the request was at fault. */
  drop(): void;
}

class TargetFailure extends Error {}
class Inconclusive extends Error {}

/** Creates the breaker of a target. `onChange` is told of each new state. */
export function createBreaker({ failures, openMs }: BreakerSettings, onChange: (state: number) => void): Breaker {
  let openedAt = 0;
  let policy = createPolicy(undefined);

  function createPolicy(initialState: unknown) {
    const created = circuitBreaker(handleType(TargetFailure), {
      breaker: new ConsecutiveBreaker(failures),
      halfOpenAfter: openMs,
      ...(initialState === undefined ? {} : { initialState }),
    });
    created.onStateChange((state) => {
      if (state === CircuitState.Open) openedAt = performance.now();
      onChange(stateOf(state));
    });
    return created;
  }
  const leftMs = () => Math.max(0, openedAt + openMs - performance.now());

  return {
    get state() {
      return stateOf(policy.state);
    },
    waitMs() {
      switch (policy.state) {
        case CircuitState.Open:
          return leftMs();
        case CircuitState.HalfOpen:
          return openMs;
        default:
          return 0;
      }
    },
    tryAcquire() {
      const entered = policy;
      const { state } = entered;
      // cockatiel would let a second request wait for the result of the one that tries; here it goes elsewhere.
      if (state === CircuitState.HalfOpen || (state === CircuitState.Open && leftMs() > 0)) return undefined;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // Whoever makes the attempt has its error already; here it is only counted.
      entered.execute(() => promise).catch(() => {});
      const isProbe = entered.state === CircuitState.HalfOpen;
      if (state === CircuitState.Open && !isProbe) {
        // cockatiel's clock is a moment behind ours.
        resolve();
        return undefined;
      }
      let open = true;
      const once = (act: () => void) => () => {
        if (open) act();
        open = false;
      };
      return {
        isProbe,
        succeed: once(resolve),
        fail: once(() => reject(new TargetFailure('the target failed'))),
        drop: once(() => {
          // To cockatiel, what is not a failure is a success. A probe that told nothing makes room for the next one instead.
          if (isProbe && policy === entered) {
            policy = createPolicy(entered.toJSON());
            onChange(stateOf(policy.state));
          }
          reject(new Inconclusive('the attempt told nothing'));
        }),
      };
    },
  };
}

function stateOf(state: CircuitState): number {
  return state === CircuitState.Closed ? 0 : state === CircuitState.HalfOpen ? 1 : 2;
}
