import type { CallOptions } from '@connectrpc/connect';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { actAs } from '#kit/rpc/context.ts';
import { principalOf, type TokenSigner } from '#kit/rpc/identity.ts';

/** The user for whom the indexer acts. */
export interface OnBehalfOf {
  tenant: string;
  user: string;
  groups?: readonly string[];
}

/** Creates call options for work on behalf of a user. */
export interface Caller {
  /** Returns options with the rights of a service: reads and writes everything in the tenant. Each call has a new token. */
  asService(who: OnBehalfOf, signal?: AbortSignal): Promise<CallOptions>;
  /** Returns options with the rights of an operator and a service. */
  asOperator(who: OnBehalfOf, signal?: AbortSignal): Promise<CallOptions>;
  /** Returns options with the rights of an auditor and an operator: reads answers and what users said of them. */
  asAuditor(who: OnBehalfOf, signal?: AbortSignal): Promise<CallOptions>;
  /** Returns options with the rights of a reader: sees what the user sees, whatever other roles the user has. */
  asReader(who: OnBehalfOf, signal?: AbortSignal): Promise<CallOptions>;
}

/** Creates a caller that signs its tokens. */
export function createCaller(signer: TokenSigner): Caller {
  const as = async ({ tenant, user, groups = [] }: OnBehalfOf, roles: Role[], signal: AbortSignal | undefined) => {
    const token = await signer.sign(principalOf({ tenant, user, groups: [...groups], roles }));
    return actAs(token, signal === undefined ? {} : { signal });
  };
  return {
    asService: (who, signal) => as(who, [Role.SERVICE, Role.READER], signal),
    asOperator: (who, signal) => as(who, [Role.OPERATOR, Role.SERVICE, Role.READER], signal),
    asAuditor: (who, signal) => as(who, [Role.AUDITOR, Role.OPERATOR], signal),
    asReader: (who, signal) => as(who, [Role.READER], signal),
  };
}
