import { Code, type Interceptor } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '../errors.ts';
import { policyOf } from '../rpc-policy.ts';
import type { ServerCall } from '../server-call.ts';
import { observe } from './observe.ts';

/**
 * Keeps the calls under way in `running`, and refuses those above `maxConcurrent`, at once and with RetryInfo: a queue here would only hide the
 * overload from whoever balances the load. Methods without a policy (health, reflection) always pass.
 */
export function concurrencyInterceptor(maxConcurrent: number, running: Set<ServerCall>): Interceptor {
  return (next) => async (request) => {
    if (policyOf(request.method).timeoutMs === 0 && policyOf(request.method).role === 0) return next(request);
    if (running.size >= maxConcurrent) {
      throw rpcError(
        Code.ResourceExhausted,
        ErrorReason.OVERLOADED,
        `${maxConcurrent} calls are under way: try again shortly`,
        { retryAfterMs: 100 },
      );
    }
    const call = request as unknown as ServerCall;
    running.add(call);
    return observe(next, request, () => running.delete(call));
  };
}
