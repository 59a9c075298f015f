import type { EdgeState } from './edge-state.ts';

/** Longest time for which the end of a call waits to be reported, in milliseconds. */
export const joinMs = 10;

/**
 * Returns the counters of a group for one of its workers, which reports the ends of its calls together with the next question to the
 * counters: a report by itself would wake both processes. A call counts for at most {@link joinMs} after its end, in other workers only.
 */
export function joinEnds(state: EdgeState): EdgeState {
  // Bounded by the calls that run.
  let ended: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const report = () => {
    clearTimeout(timer);
    timer = undefined;
    if (ended.length === 0) return;
    const users = ended;
    ended = [];
    // If the counters are away, they are lost with what they held.
    state.end(users).catch(() => {});
  };
  return {
    take(buckets, signal) {
      report();
      return state.take(buckets, signal);
    },
    begin(user, max) {
      report();
      return state.begin(user, max);
    },
    async end(users) {
      ended.push(...users);
      timer ??= setTimeout(report, joinMs).unref();
    },
  };
}
