import type { DescMethod } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Exposure, Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError } from '../../base/errors.ts';
import type { TokenVerifier } from '../identity.ts';
import type { Interceptor } from '../invoke.ts';
import { policyOf, roleName } from '../policy.ts';

/**
 * Refuses a caller without the role that the contract of `method` asks for, or whose key is limited to corpora although the method does not
 * honor that. Throws PERMISSION_DENIED.
 */
export function requireRole(method: DescMethod, principal: Principal): void {
  const { role, exposure, honorsCorpora } = policyOf(method);
  if (principal.corpora.length > 0 && exposure === Exposure.PUBLIC && !honorsCorpora) {
    const message = `${method.name} is not for keys that are limited to corpora: they may ask and search`;
    throw rpcError(Code.PermissionDenied, ErrorReason.CORPORA_LIMITED, message);
  }
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
