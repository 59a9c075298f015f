import { durationMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { sleep } from '#kit/base/streams.ts';

/** Attempts of a batch, the first one included. */
export const maxAttempts = 3;
/** Backoff before the second attempt, in milliseconds; it doubles from there. */
const firstWaitMs = 200;
/** Longest wait if the caller set no deadline, in milliseconds. */
const longestWaitMs = 30_000;

/** Bounds of attempts. */
export interface RetryBounds {
  /** Returns a number from 0 up to 1. */
  random: () => number;
  /** Returns the time that the caller has left, in milliseconds; `undefined`: no deadline. */
  leftMs: () => number | undefined;
  signal: AbortSignal;
}

/**
 * Returns the result of `work`, which is retried after UNAVAILABLE and RESOURCE_EXHAUSTED. The RetryInfo of the error is the shortest wait.
 * If the caller has no time left for another attempt, the error is thrown immediately.
 */
export async function withRetry<T>(work: () => Promise<T>, { random, leftMs, signal }: RetryBounds): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (attempt >= maxAttempts || !isRetryable(error)) throw error;
      const backoffMs = firstWaitMs * 2 ** (attempt - 1) * (0.5 + random() / 2);
      const waitMs = Math.max(backoffMs, retryInfoMs(error));
      if (waitMs >= (leftMs() ?? longestWaitMs)) throw error;
      await sleep(waitMs, signal);
    }
  }
}

function isRetryable(error: unknown): error is ConnectError {
  return error instanceof ConnectError && (error.code === Code.Unavailable || error.code === Code.ResourceExhausted);
}

function retryInfoMs(error: ConnectError): number {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? 0 : durationMs(delay);
}
