import type { CallOptions, HandlerContext } from '@connectrpc/connect';
import type { Logger } from '#kit/base/log.ts';
import type { ServerCall } from '#kit/rpc/server-call.ts';

/** Work that outlives the call that began it, and that the service waits for before it ends. */
export interface Detached {
  /** Runs `work`, which bounds its own time; a failure is logged. Resolves with its result, or `undefined` where it failed. */
  run<T>(name: string, work: () => Promise<T>): Promise<T | undefined>;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

/** Creates the list of such work. */
export function createDetached(log: Logger): Detached {
  const running = new Set<Promise<unknown>>();
  return {
    run(name, work) {
      const started = work().catch((error: unknown) => {
        log.error({ err: error, work: name }, 'detached work failed');
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

/** Call options that carry the caller of `context`, for calls that may outlive its call. */
export function detach(context: HandlerContext, timeoutMs: number): CallOptions {
  const { authorization } = context as ServerCall;
  return { timeoutMs, ...(authorization === undefined ? {} : { headers: { authorization } }) };
}
