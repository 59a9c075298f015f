import { toRpcError } from '#kit/base/errors.ts';
import { HttpFailure, toProviderError } from '#kit/http/failure.ts';

/** Returns what an operator reads of a failure; never text of a document or a secret. */
export function problemOf(error: unknown, adapter: string, nowMs: number): { message: string; retryAfterMs: number } {
  const retryAfterMs = error instanceof HttpFailure ? (error.retryAfterMs(nowMs) ?? 0) : 0;
  return { message: toRpcError(toProviderError(adapter, error, nowMs)).rawMessage, retryAfterMs };
}

/** Returns what an operator reads of an entry that could not be read. */
export function entryProblemOf(error: unknown, adapter: string): string {
  // The time matters for what is tried again only.
  return problemOf(error, adapter, 0).message;
}
