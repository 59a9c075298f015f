import type { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';

/** Says who a caller is: what its credentials make of it. */
export const caller: ServiceHandlers<typeof CallerService> = {
  getCaller: (_, context) => ({ caller: context.principal }),
};
