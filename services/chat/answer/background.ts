import type { CallOptions } from '@connectrpc/connect';
import type { Logger } from '#kit/base/log.ts';
import type { CallContext } from '#kit/rpc/context.ts';

/** Work that continues after the call that began it has ended; the service waits for it before it stops. */
export interface BackgroundTasks {
  /** Runs `work`, which bounds its own time. Resolves to its result, or to `undefined` if it failed, which is logged. */
  run<T>(name: string, work: () => Promise<T>): Promise<T | undefined>;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

/** Creates the list of running tasks. */
export function createBackgroundTasks(log: Logger): BackgroundTasks {
  const running = new Set<Promise<unknown>>();
  return {
    run(name, work) {
      const started = work().catch((error: unknown) => {
        log.error({ err: error, event: 'background_task_failed', task: name }, 'background task failed');
        return undefined;
      });
      running.add(started);
      void started.then(() => running.delete(started));
      return started;
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

/** Returns options for a call with the caller's identity that may outlive the caller's call: no signal, and its own time. */
export function backgroundCall(context: CallContext, timeoutMs: number): CallOptions {
  return { timeoutMs, headers: { authorization: context.authorization } };
}
