import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';

/** What a run needs of the call that it serves. */
export type RunContext = Pick<CallContext, 'principal' | 'forward'>;

/** Returns the context of a run that no call waits for: it acts for a principal until the signal aborts. */
export function contextOf(principal: Principal, signal: AbortSignal): RunContext {
  return { principal, forward: ({ timeoutMs } = {}) => ({ signal, ...(timeoutMs !== undefined && { timeoutMs }) }) };
}
