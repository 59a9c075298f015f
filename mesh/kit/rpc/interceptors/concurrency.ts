import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError } from '../../base/errors.ts';
import { policyOf } from '../policy.ts';
import type { ServerCall } from '../server-call.ts';
import type { Observer } from './observe.ts';

/**
 * Keeps the calls in flight in `running`, and refuses those above `maxConcurrent` immediately and with RetryInfo: a queue here
 * would only hide the overload from the load balancer. Methods without a policy (health, reflection) always pass.
 */
export function concurrencyObserver(maxConcurrent: number, running: Set<ServerCall>): Observer {
  return (call) => {
    if (policyOf(call.method).role === Role.UNSPECIFIED) return () => {};
    if (running.size >= maxConcurrent) {
      throw rpcError(
        Code.ResourceExhausted,
        ErrorReason.OVERLOADED,
        `${maxConcurrent} calls are in flight: try again shortly`,
        { retryAfterMs: 100 },
      );
    }
    running.add(call);
    return () => running.delete(call);
  };
}
