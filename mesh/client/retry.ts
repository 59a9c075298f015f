import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { Code, ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect';
import { isRetryable, policyOf } from '#kit/rpc/policy.ts';

/** The pause before the first repetition, in milliseconds; it doubles up to the longest one. */
const firstPauseMs = 50;
const longestPauseMs = 1000;

/** What retries depend on; tests replace it. */
export interface RetryDeps {
  /** Resolves after the time; rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** A number from 0 up to 1. */
  random(): number;
}

/**
 * Repeats calls that the contract marks as repeatable (`RpcPolicy.max_attempts`) when the server is UNAVAILABLE, with a growing pause. A
 * stream is repeated only before its first message: what the caller has received is never taken back.
 */
export function retrying(deps: RetryDeps = { sleep: sleepFor, random: Math.random }): Interceptor {
  return (next) => async (request) => {
    const { method, signal } = request;
    if (!isRetryable(method)) return next(request);
    if (!request.stream) return repeated(() => next(request), policyOf(method).maxAttempts, signal, deps);
    if (method.methodKind !== 'server_streaming') return next(request);
    const messages: MessageShape<DescMessage>[] = [];
    for await (const message of request.message) messages.push(message);
    const open = async () => {
      const response = await next({ ...request, message: each(messages) });
      return response.stream ? withFirst(response) : response;
    };
    return repeated(open, policyOf(method).maxAttempts, signal, deps);
  };
}

/** Runs `call` up to `attempts` times, while it fails with UNAVAILABLE. */
async function repeated<T>(
  call: () => Promise<T>,
  attempts: number,
  signal: AbortSignal,
  { sleep, random }: RetryDeps,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const mayRepeat = attempt < attempts && !signal.aborted && ConnectError.from(error).code === Code.Unavailable;
      if (!mayRepeat) throw error;
      await sleep(Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1)) * (0.5 + random() / 2), signal);
    }
  }
}

/** Waits for the first message of a stream, so that a failure before it is a failure of the call. */
async function withFirst(response: StreamResponse): Promise<StreamResponse> {
  const iterator = response.message[Symbol.asyncIterator]();
  let first: IteratorResult<MessageShape<DescMessage>> | undefined = await iterator.next();
  const message: AsyncIterableIterator<MessageShape<DescMessage>> = {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (first === undefined) return iterator.next();
      const result = first;
      first = undefined;
      return Promise.resolve(result);
    },
    return: async (value) => (await iterator.return?.(value)) ?? { done: true, value: undefined },
  };
  return { ...response, message };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(ConnectError.from(signal.reason, Code.Canceled));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
