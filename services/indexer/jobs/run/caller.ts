import type { CallOptions } from '@connectrpc/connect';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { actAs } from '#kit/rpc/context.ts';
import { principalOf, type TokenSigner } from '#kit/rpc/identity.ts';

/** For whom the indexer acts. */
export interface OnBehalfOf {
  tenant: string;
  user: string;
  groups?: readonly string[];
}

/** Call options for work that the indexer does for somebody. */
export interface Caller {
  /** As a service of the mesh: sees and writes the whole of the tenant. Each call has a fresh token. */
  asService(who: OnBehalfOf, signal?: AbortSignal): Promise<CallOptions>;
  /** As a reader: sees what the person sees, whatever else their token grants. */
  asReader(who: OnBehalfOf, signal?: AbortSignal): Promise<CallOptions>;
}

/** Creates the caller. */
export function createCaller(signer: TokenSigner): Caller {
  const as = async ({ tenant, user, groups = [] }: OnBehalfOf, roles: Role[], signal: AbortSignal | undefined) => {
    const token = await signer.sign(principalOf({ tenant, user, groups: [...groups], roles }));
    return actAs(token, signal === undefined ? {} : { signal });
  };
  return {
    asService: (who, signal) => as(who, [Role.SERVICE, Role.READER], signal),
    asReader: (who, signal) => as(who, [Role.READER], signal),
  };
}
