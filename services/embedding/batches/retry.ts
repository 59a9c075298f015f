import { Code, ConnectError } from '@connectrpc/connect';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { sleep } from '#kit/base/streams.ts';

/** Attempts of a batch, the first one included. */
export const maxAttempts = 3;
/** Wait before the second attempt, in milliseconds; doubles from there. */
const firstWaitMs = 200;
/** Longest wait where the caller set no deadline, in milliseconds. */
const longestWaitMs = 30_000;

/** Bounds of attempts. */
export interface RetryBounds {
  /** A number from 0 up to 1. */
  random: () => number;
  /** Time that the caller has left, in milliseconds; `undefined`: no deadline. */
  leftMs: () => number | undefined;
  signal: AbortSignal;
}

/**
 * The result of `work`, tried again where it failed for want of capacity or connection (UNAVAILABLE, RESOURCE_EXHAUSTED). The wait that
 * the error asks for by RetryInfo is a floor; an attempt for which the caller has no time left is not waited for: the error comes at
 * once.
 */
export async function withRetry<T>(work: () => Promise<T>, { random, leftMs, signal }: RetryBounds): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (attempt >= maxAttempts || !isRetryable(error)) throw error;
      const backOffMs = firstWaitMs * 2 ** (attempt - 1) * (0.5 + random() / 2);
      const waitMs = Math.max(backOffMs, retryInfoMs(error));
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
  return delay === undefined ? 0 : Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}
