import type { DescMethod } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError } from '../../base/errors.ts';
import type { TokenVerifier } from '../identity.ts';
import type { Interceptor } from '../invoke.ts';
import { policyOf, roleName } from '../policy.ts';

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
 * Verifies the token of each call, sets its principal, and refuses callers without the role that
 * the contract asks for. Methods without a policy (health, reflection) are open.
 */
export function identityInterceptor(verifier: TokenVerifier): Interceptor {
  return (next) => (call) => {
    const { role } = policyOf(call.method);
    if (role === Role.UNSPECIFIED) return next(call);
    const header = call.credentials;
    if (header === undefined) {
      throw rpcError(
        Code.Unauthenticated,
        ErrorReason.CREDENTIALS_MISSING,
        'no credentials: send "authorization: Bearer <token>"',
      );
    }
    const admit = (principal: Principal) => {
      requireRole(call.method, principal);
      call.identify(principal, header);
      return next(call);
    };
    const token = header.replace(/^Bearer /i, '');
    const known = verifier.known(token);
    return known === undefined ? verifier.verify(token).then(admit) : admit(known);
  };
}
