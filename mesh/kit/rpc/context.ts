import type { DescMethod } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';

/** A call as its handler sees it, whichever mount it came through. */
export interface CallContext {
  readonly method: DescMethod;
  /** The caller. Throws INTERNAL on a method without a policy (health, reflection), whose callers are not identified. */
  readonly principal: Principal;
  /** The `authorization` header that identifies the caller on calls to other services. Throws like {@link principal}. */
  readonly authorization: string;
  /** Aborts when the call is over: finished, cancelled, or past its deadline. */
  readonly signal: AbortSignal;
  /** Returns the time until the deadline in milliseconds, at least 0; `undefined`: no deadline. */
  timeoutMs(): number | undefined;
  readonly requestHeader: Headers;
  /** Headers of the response; they leave with its first message. */
  readonly responseHeader: Headers;
  readonly responseTrailer: Headers;
  /** Ends the call with an error, as its caller would by leaving. Does nothing if the call is over. */
  abort(reason: unknown): void;
  /** Calls `ending` once when the call is over, with the error that ended it; with `undefined` after success. */
  onEnd(ending: (error: unknown) => void): void;
  /**
   * Returns the options of a call that serves this call: the same identity, this call's signal, and no more time than is left.
   * Throws DEADLINE_EXCEEDED when no time is left, and INTERNAL like {@link principal}.
   */
  forward(options?: ForwardOptions): CallOptions;
}

/** Options of {@link CallContext.forward}. */
export interface ForwardOptions {
  /** Longest time for the call, in milliseconds; the caller's remaining time caps it. */
  timeoutMs?: number;
  /** A second signal that ends the call. */
  signal?: AbortSignal;
}

/** Returns the options of a call that the mesh makes on behalf of a principal, without a call that it serves. */
export function actAs(token: string, options: ForwardOptions = {}): CallOptions {
  return {
    headers: { authorization: `Bearer ${token}` },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
}

/** Returns the `authorization` of the headers of a call. */
export function authorizationOf(header: HeadersInit | undefined): string | undefined {
  if (header === undefined) return undefined;
  const isPlain = !(header instanceof Headers) && !Array.isArray(header);
  return isPlain ? header.authorization : (new Headers(header).get('authorization') ?? undefined);
}
