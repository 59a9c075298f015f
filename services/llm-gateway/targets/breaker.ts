import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleType } from 'cockatiel';
import type { BreakerSettings } from '../config.ts';

/** Opens the circuit of a target after consecutive failures, until one probe, and no other beside it, has succeeded. */
export interface Breaker {
  /** 0 closed, 1 half open, 2 open. */
  readonly state: number;
  /** Time until a request may pass, in milliseconds; 0: now. While a probe runs: the time that the circuit was open. */
  waitMs(): number;
  /** Returns a permit for an attempt; `undefined` if the circuit is open, or another request is the probe. */
  tryAcquire(): BreakerPermit | undefined;
}

/** A permit for one attempt. The first call reports its result; later ones change nothing. */
export interface BreakerPermit {
  /** Whether this attempt decides if the circuit closes. */
  readonly isProbe: boolean;
  succeed(): void;
  fail(): void;
  /** The result says nothing about the target: the attempt was cancelled, or the request was invalid. */
  ignore(): void;
}

class TargetFailure extends Error {}
class Inconclusive extends Error {}

/** Creates the breaker of a target. `onChange` receives each new state. */
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
      // cockatiel would let a second request wait for the result of the probe; here it goes to another target.
      if (state === CircuitState.HalfOpen || (state === CircuitState.Open && leftMs() > 0)) return undefined;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // The attempt reports its own error; here it is only counted.
      entered.execute(() => promise).catch(() => {});
      const isProbe = entered.state === CircuitState.HalfOpen;
      if (state === CircuitState.Open && !isProbe) {
        // The clock of cockatiel is slightly behind.
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
        ignore: once(() => {
          // cockatiel counts everything that is not a failure as a success. After an ignored probe the next one follows instead.
          if (isProbe && policy === entered) {
            policy = createPolicy(entered.toJSON());
            onChange(stateOf(policy.state));
          }
          reject(new Inconclusive('the attempt says nothing about the target'));
        }),
      };
    },
  };
}

function stateOf(state: CircuitState): number {
  return state === CircuitState.Closed ? 0 : state === CircuitState.HalfOpen ? 1 : 2;
}
