import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';

/** Creates the rpc that says who a caller is: what its credentials make of it. `traceUrl` returns the page of a trace, for those who may read traces. */
export function createCaller(traceUrl: () => string): ServiceHandlers<typeof CallerService> {
  return {
    getCaller: (_, { principal }) => {
      const readsTraces = [Role.OPERATOR, Role.AUDITOR].some((role) => principal.roles.includes(role));
      return { caller: principal, traceUrl: readsTraces ? traceUrl() : '' };
    },
  };
}
