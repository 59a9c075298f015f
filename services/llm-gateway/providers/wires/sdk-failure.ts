import type { ProviderError } from '../error.ts';
import { connectionError, readFailure, toProviderError, type WireFailure } from '../error-from-wire.ts';

/** An error of a vendor's SDK, as far as OpenAI's and Anthropic's are the same: `error` is the body of the reply or of the event. */
interface SdkApiError {
  status?: number | undefined;
  headers?: Headers | undefined;
  error?: unknown;
}

/** The longest wait that a timer can have: an SDK's own timeout is turned off by it. */
export const noSdkTimeoutMs = 2 ** 31 - 1;

/** The failure that an SDK has read from a reply or from an event; `undefined` where there was none to read. */
export function sdkFailure(thrown: unknown): WireFailure | undefined {
  const { status, headers, error } = (thrown ?? {}) as SdkApiError;
  if (status === undefined && error === undefined) return undefined;
  return readFailure(error, status, (name) => headers?.get(name));
}

/** What an SDK threw, as the gateway knows it. */
export function sdkError(thrown: unknown): ProviderError {
  const failure = sdkFailure(thrown);
  return failure === undefined ? connectionError(thrown) : toProviderError(failure, thrown);
}

/** Whether a server has answered in one piece, though it was asked for a stream. */
export function isWhole({ headers }: Response): boolean {
  return /\bjson\b/.test(headers.get('content-type') ?? '');
}
