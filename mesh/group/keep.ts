import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { MemberProcess } from './member-process.ts';
import type { Serving } from './messages.ts';

/** A place in the group: one process after another. */
export interface Seat {
  /** The process now; `undefined` between two. */
  readonly member: MemberProcess | undefined;
  /** Processes that have ended by themselves so far. */
  readonly restartCount: number;
  /** Resolves when the first process serves. Rejects with StartError if it cannot start; it is not started again then. */
  readonly firstServing: Promise<Serving>;
  /** Starts no more processes, and ends the one that there is. */
  stop(timeoutMs: number): Promise<void>;
}

/** Wait before the first restart, and the longest one, in milliseconds. */
const firstBackoffMs = 100;
const longestBackoffMs = 10_000;
/** Time after which a process counts as sound: the next restart waits as little as the first. */
const soundMs = 10_000;

/** Returns the wait before a restart, in milliseconds: `failureCount` processes in a row have ended soon after their start. */
export function backoffOf(failureCount: number): number {
  return Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failureCount, 20));
}

/** Keeps a seat taken: a process that ends by itself is replaced after a backoff. `clock`: milliseconds that only grow. */
export function keepSeat(start: () => MemberProcess, log: Logger, clock: () => number): Seat {
  const stopping = new AbortController();
  const first = Promise.withResolvers<Serving>();
  first.promise.catch(() => {});
  let member: MemberProcess | undefined;
  let restartCount = 0;

  const run = async () => {
    let failureCount = 0;
    while (!stopping.signal.aborted) {
      const startedAt = clock();
      const current = start();
      member = current;
      const problem = await current.serving.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (problem === undefined) first.resolve(current.serving);
      await current.ended;
      member = undefined;
      if (stopping.signal.aborted) return;
      if (problem !== undefined) {
        first.reject(problem);
        if (restartCount === 0) return;
      }
      failureCount = clock() - startedAt > soundMs ? 0 : failureCount + 1;
      restartCount++;
      const backoffMs = backoffOf(failureCount - 1);
      const fields = {
        member: current.name,
        pid: current.pid,
        backoffMs,
        ...(problem !== undefined && { err: problem }),
      };
      log.error({ event: 'member_ended', ...fields }, 'member ended, starting another');
      await sleep(backoffMs, stopping.signal).catch(() => {});
    }
  };
  const running = run();
  return {
    get member() {
      return member;
    },
    get restartCount() {
      return restartCount;
    },
    firstServing: first.promise,
    async stop(timeoutMs) {
      stopping.abort();
      await member?.stop(timeoutMs);
      await running;
    },
  };
}
