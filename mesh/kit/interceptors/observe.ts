import type { Interceptor, StreamResponse, UnaryResponse } from '@connectrpc/connect';

type Next = Parameters<Interceptor>[0];
type Request = Parameters<Next>[0];

/**
 * Runs a call and says once when it is over: with the error that ended it, or with nothing where it ended well. A stream
 * is over when its last message was taken, when it failed, or when its consumer left.
 */
export async function observe(
  next: Next,
  request: Request,
  ended: (error: unknown) => void,
): Promise<UnaryResponse | StreamResponse> {
  let response: UnaryResponse | StreamResponse;
  try {
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
