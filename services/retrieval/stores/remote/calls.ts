import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError, unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';

/** Runs a call to a server within its limits of time. */
export type RemoteCalls = <T>(call: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** Options of calls to a server. */
export interface RemoteOptions {
  /** The store's name in errors: "vector store". */
  name: string;
  /** Longest time of a call. */
  timeoutMs: number;
  /** Converts an error of the vendor's client to one that may cross a service. */
  toError(thrown: unknown): unknown;
}

/**
 * Bounds each call by `timeoutMs` and by its caller's signal. A call whose caller leaves rejects immediately with the signal's
 * reason, even if the client continues; a late one is UNAVAILABLE.
 */
export function createRemoteCalls({ name, timeoutMs, toError }: RemoteOptions): RemoteCalls {
  const toTimeoutError = () => unavailable(name, `the ${name} did not answer within ${timeoutMs} ms`);
  return (call, signal) =>
    within(
      async (running) => {
        try {
          return await call(running);
        } catch (error) {
          throw toError(error);
        }
      },
      { timeoutMs, signals: [signal], toTimeoutError },
    );
}

/**
 * Returns the error for an HTTP status of a server; `undefined`: no reply came. Only `cause` has the server's own message, because it may
 * quote a document.
 */
export function httpError(name: string, status: number | undefined, cause: unknown): ConnectError {
  if (status === undefined) return unavailable(name, `the ${name} cannot be reached`, cause);
  if (status === 401 || status === 403)
    return unavailable(name, `the ${name} refuses its key: check the settings`, cause);
  if (status === 429) {
    const parts = { metadata: { dependency: name }, retryAfterMs: 1000, cause };
    return rpcError(
      Code.ResourceExhausted,
      ErrorReason.OVERLOADED,
      `the ${name} is overloaded: try again shortly`,
      parts,
    );
  }
  if (status === 408 || status >= 500) return unavailable(name, `the ${name} fails (HTTP ${status})`, cause);
  // The server refused the request as invalid: our bug.
  return internal(cause);
}
