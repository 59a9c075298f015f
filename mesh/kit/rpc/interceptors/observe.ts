import type { Interceptor } from '../invoke.ts';
import type { ServerCall } from '../server-call.ts';

/**
 * Is called when a call begins, and returns a function that is called once when it ends: with the error that ended the call, or
 * with `undefined` after success. May throw to refuse the call.
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
