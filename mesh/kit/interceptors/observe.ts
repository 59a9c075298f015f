import type { Interceptor, StreamResponse, UnaryResponse } from '@connectrpc/connect';

type Next = Parameters<Interceptor>[0];
type Request = Parameters<Next>[0];

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
  return (next) => async (request) => {
    const endings: ((error: unknown) => void)[] = [];
    const ended = (error: unknown) => {
      for (const ending of endings) ending(error);
    };
    let response: UnaryResponse | StreamResponse;
    try {
      for (const observer of observers) endings.push(observer(request));
      response = await next(request);
    } catch (error) {
      ended(error);
      throw error;
    }
    if (response.stream) {
      const streamed = response as { message: AsyncIterable<unknown> };
      streamed.message = watch(streamed.message, ended);
    } else {
      ended(undefined);
    }
    return response;
  };
}

async function* watch<T>(messages: AsyncIterable<T>, ended: (error: unknown) => void): AsyncIterable<T> {
  let error: unknown;
  try {
    yield* messages;
  } catch (thrown) {
    error = thrown;
    throw thrown;
  } finally {
    ended(error);
  }
}
