import type { Interceptor } from '@connectrpc/connect';
import type { ServerCall } from '../server-call.ts';

type Request = Parameters<Parameters<Interceptor>[0]>[0];

/**
 * Sees a call begin, and gives back what wants to know of its end: called once, with the error that ended the call, or with
 * nothing where it ended well. May throw to refuse the call.
 */
export type Observer = (request: Request) => (error: unknown) => void;

/**
 * One interceptor for any number of observers: a layer of its own for each would cost more than what they do. A stream is
 * over when its last message was taken, when it failed, or when its consumer left.
 */
export function observing(observers: readonly Observer[]): Interceptor {
  return (next) => (request) => {
    const call = request as unknown as ServerCall;
    for (const observer of observers) call.onEnd(observer(request));
    return next(request);
  };
}
