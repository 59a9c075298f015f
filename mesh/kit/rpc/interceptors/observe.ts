import type { Interceptor } from '../invoke.ts';
import type { ServerCall } from '../server-call.ts';

/**
 * Sees a call begin, and gives back what wants to know of its end: called once, with the error that ended the call, or with
 * nothing where it ended well. May throw to refuse the call.
 */
export type Observer = (call: ServerCall) => (error: unknown) => void;

/**
 * One interceptor for any number of observers: a layer of its own for each would cost more than what they do. A stream is
 * over when its last message was taken, when it failed, or when its consumer left.
 */
export function observing(observers: readonly Observer[]): Interceptor {
  return (next) => (call) => {
    for (const observer of observers) call.onEnd(observer(call));
    return next(call);
  };
}
