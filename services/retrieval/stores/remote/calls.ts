import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError, unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';

/** Runs a call to a server. */
export type RemoteCalls = <T>(call: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** How calls to a server are run. */
export interface RemoteOptions {
  /** Name of the server for errors: "vector store". */
  name: string;
  /** Longest time of a call. */
  timeoutMs: number;
  /** The vendor's table: an error that its client threw as one that may cross a service. */
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
 * An HTTP status of a server as an error that may cross a service; `undefined` where no reply came. What the server
 * said goes into `cause` alone, since it may quote a document.
 */
export function httpError(name: string, status: number | undefined, cause: unknown): ConnectError {
  if (status === undefined) return unavailable(name, `the ${name} cannot be reached`, cause);
  if (status === 401 || status === 403)
    return unavailable(name, `the ${name} refuses its key: check the settings`, cause);
  if (status === 429) {
    const parts = { metadata: { dependency: name }, retryAfterMs: 1000, cause };
    return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, `the ${name} has too much to do`, parts);
  }
  if (status === 408 || status >= 500) return unavailable(name, `the ${name} fails (HTTP ${status})`, cause);
  // The request was not as the server wants it: our bug.
  return internal(cause);
}
