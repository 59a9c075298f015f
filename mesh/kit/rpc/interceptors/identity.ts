import type { DescMethod } from '@bufbuild/protobuf';
import { Code, type Interceptor } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError } from '../../base/errors.ts';
import { principalKey } from '../context.ts';
import type { TokenVerifier } from '../identity.ts';
import { policyOf, roleName } from '../policy.ts';
import type { ServerCall } from '../server-call.ts';

/** Refuses a caller without the role that the contract of `method` asks for. Throws PERMISSION_DENIED. */
export function requireRole(method: DescMethod, principal: Principal): void {
  const { role } = policyOf(method);
  if (role === Role.UNSPECIFIED || principal.roles.includes(role)) return;
  const name = roleName(role);
  throw rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, `${method.name} needs the role "${name}"`, {
    metadata: { role: name },
  });
}

/**
 * Verifies the token of each call, makes its principal known to the handler, and refuses callers without the role that
 * the contract asks for. Methods without a policy (health, reflection) are open.
 */
export function identityInterceptor(verifier: TokenVerifier): Interceptor {
  return (next) => (request) => {
    const { role } = policyOf(request.method);
    if (role === Role.UNSPECIFIED) return next(request);
    // A ServerCall gives the header without making Headers for it; a request of connect-node has only those.
    const header = (request as unknown as ServerCall).authorization ?? request.header.get('authorization');
    if (header === null) {
      throw rpcError(
        Code.Unauthenticated,
        ErrorReason.CREDENTIALS_MISSING,
        'no credentials: send "authorization: Bearer <token>"',
      );
    }
    const admit = (principal: Principal) => {
      requireRole(request.method, principal);
      request.contextValues.set(principalKey, principal);
      return next(request);
    };
    const token = header.replace(/^Bearer /i, '');
    const known = verifier.known(token);
    return known === undefined ? verifier.verify(token).then(admit) : admit(known);
  };
}
