import type { ProviderError } from '../error.ts';
import { connectionError, readFailure, toProviderError, type WireFailure } from '../error-from-wire.ts';

/** Fields that the errors of OpenAI's and Anthropic's SDKs share: `error` is the body of the response or of the event. */
interface SdkApiError {
  status?: number | undefined;
  headers?: Headers | undefined;
  error?: unknown;
}

/** The longest delay of a timer: it disables the timeout of an SDK. */
export const noSdkTimeoutMs = 2 ** 31 - 1;

/** Returns the failure that an SDK has read from a response or an event; `undefined`: it has read none. */
export function sdkFailure(thrown: unknown): WireFailure | undefined {
  const { status, headers, error } = (thrown ?? {}) as SdkApiError;
  if (status === undefined && error === undefined) return undefined;
  return readFailure(error, status, (name) => headers?.get(name));
}

/** Returns the error that an SDK threw as a ProviderError. */
export function sdkError(thrown: unknown): ProviderError {
  const failure = sdkFailure(thrown);
  return failure === undefined ? connectionError(thrown) : toProviderError(failure, thrown);
}

/** Returns whether a server answered without streaming. */
export function isWhole({ headers }: Response): boolean {
  return /\bjson\b/.test(headers.get('content-type') ?? '');
}
