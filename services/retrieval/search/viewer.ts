import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';

/** For whom a search runs. */
export interface Viewer {
  /** Whose documents are searched. */
  principal: Principal;
  /** Whether the result may say why a document cannot be seen: the caller is an operator. */
  isOperator: boolean;
  /** Versions that the request may name in place of the live ones. */
  mayName: 'none' | 'published' | 'any';
}

/** Returns the viewer of a call for the caller itself. */
export function viewerOf(principal: Principal): Viewer {
  const isOperator = principal.roles.includes(Role.OPERATOR);
  const isService = principal.roles.includes(Role.SERVICE);
  return { principal, isOperator, mayName: isService ? 'any' : isOperator ? 'published' : 'none' };
}
