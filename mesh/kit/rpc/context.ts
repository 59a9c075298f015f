import { type CallOptions, createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { deadlineExceeded, internal } from '../base/errors.ts';
import type { ServerCall } from './server-call.ts';

/** The caller, set by the identity interceptor. */
export const principalKey = createContextKey<Principal | undefined>(undefined, { description: 'principal' });

/** The caller of an rpc. Every handler runs behind the identity interceptor, so a call without one is a bug. */
export function callerOf(context: HandlerContext): Principal {
  const principal = context.values.get(principalKey);
  if (principal === undefined) throw internal(new Error(`${context.method.name} ran without a principal`));
  return principal;
}

/** Options of {@link forward}. */
export interface ForwardOptions {
  /** Longest time for the call, in milliseconds; the caller's remaining time caps it. */
  timeoutMs?: number;
  /** Ends the call beside the caller's own signal. */
  signal?: AbortSignal;
}

/**
 * Call options for a call that serves the call `context`: the same identity, the caller's signal, and no more time than
 * the caller has left. Throws DEADLINE_EXCEEDED where no time is left: work that nobody can use is not started.
 */
export function forward(context: HandlerContext, options: ForwardOptions = {}): CallOptions {
  const leftMs = context.timeoutMs();
  if (leftMs !== undefined && leftMs <= 0) throw deadlineExceeded();
  const timeoutMs = leftMs === undefined ? options.timeoutMs : Math.min(leftMs, options.timeoutMs ?? leftMs);
  const call = context as ServerCall;
  const { authorization } = call;
  return {
    signal: options.signal === undefined ? call.signal : either(call, options.signal),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  };
}

// A signal that aborts with the call's own or with another one. AbortSignal.any costs several times as much, and is made for
// signals whose life nobody knows; here the end of the call is the end of it.
function either(call: ServerCall, other: AbortSignal): AbortSignal {
  const controller = new AbortController();
  for (const signal of [call.signal, other]) {
    if (signal.aborted) {
      controller.abort(signal.reason);
      return controller.signal;
    }
    const onAbort = () => controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal === other) call.onEnd(() => other.removeEventListener('abort', onAbort));
  }
  return controller.signal;
}

/** Call options for a call of the mesh's own, on behalf of a principal. */
export function actAs(token: string, options: ForwardOptions = {}): CallOptions {
  return {
    headers: { authorization: `Bearer ${token}` },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
}
