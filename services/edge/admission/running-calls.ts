import { Code } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { EdgeState } from './edge-state.ts';

/** Time after which a refused caller may try again, in milliseconds. When a running answer ends is not known. */
const retryAfterMs = 1000;

/** Counts the answers and model calls of each user that run in this process, and in the other processes of its group. */
export interface RunningCalls {
  /**
   * Counts one more call of the user and returns what ends it; only the first call of that counts. Throws RESOURCE_EXHAUSTED with
   * RetryInfo if as many run as one user may have.
   */
  begin(principal: Principal): Promise<() => void>;
}

/** Creates the count over the counters of the group. `maxPerUserNow` returns the calls of one user of a tenant that may run concurrently. */
export function createRunningCalls(maxPerUserNow: () => number, state: Pick<EdgeState, 'begin' | 'end'>): RunningCalls {
  return {
    async begin({ tenant, user }) {
      const maxPerUser = maxPerUserNow();
      const key = `${tenant} ${user}`;
      if (!(await state.begin(key, maxPerUser))) {
        throw rpcError(
          Code.ResourceExhausted,
          ErrorReason.RATE_LIMITED,
          `${maxPerUser} answers or model calls of this user are running, and no more are allowed: wait for one to end, or try again in ${retryAfterMs} ms`,
          { retryAfterMs, metadata: { scope: 'user', limit: 'user_max_concurrent', value: String(maxPerUser) } },
        );
      }
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        // If the counters are away, they are lost with what they held.
        state.end([key]).catch(() => {});
      };
    },
  };
}
