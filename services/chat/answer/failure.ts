import { Code } from '@connectrpc/connect';
import { toRpcError } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';

/** Returns why a call failed in one line, for a degradation. */
export function describeFailure(error: unknown): string {
  const { code, rawMessage } = toRpcError(error);
  const name = (Code[code] ?? 'Unknown').replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
  return rawMessage === '' || rawMessage.toLowerCase() === name ? name : `${name}: ${rawMessage}`;
}

/** Throws the error if no fallback helps: the caller has left or its time is up, or it must change its request. */
export function rethrowIfFinal(error: unknown, context: CallContext): void {
  if (context.signal.aborted || context.timeoutMs() === 0) throw error;
  const { code } = toRpcError(error);
  const isCallers = code === Code.InvalidArgument || code === Code.NotFound;
  if (isCallers || code === Code.Unauthenticated || code === Code.PermissionDenied) throw error;
}
