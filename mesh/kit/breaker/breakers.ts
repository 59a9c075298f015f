import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics/metrics.ts';
import { type Breaker, createBreaker } from './breaker.ts';

/** Returns the breaker of a dependency of this process, by its name. */
export type Breakers = (dependency: string) => Breaker;

/** Most dependencies of a service; their names are of its configuration. */
const maxBreakers = 256;

/** Creates the breakers of a service, which log and count their changes. Of one name it creates one. */
export function createBreakers({ breakerState }: Pick<Metrics, 'breakerState'>, log: Logger): Breakers {
  const all = new Map<string, Breaker>();
  return (dependency) => {
    const known = all.get(dependency);
    if (known !== undefined) return known;
    const breaker = createBreaker(dependency, (state) => {
      breakerState.set({ dependency }, state);
      log[state === 0 ? 'info' : 'warn'](
        { event: 'circuit_changed', dependency, state },
        'circuit of a dependency changed',
      );
    });
    if (all.size >= maxBreakers) all.delete(all.keys().next().value as string);
    all.set(dependency, breaker);
    breakerState.set({ dependency }, 0);
    return breaker;
  };
}
