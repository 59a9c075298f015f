import { Code, type Interceptor } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { principalKey } from '../context.ts';
import { rpcError } from '../errors.ts';
import type { TokenVerifier } from '../identity.ts';
import { policyOf, roleName } from '../rpc-policy.ts';
import type { ServerCall } from '../server-call.ts';

/**
 * Verifies the token of each call, makes its principal known to the handler, and refuses callers without the role that
 * the contract asks for. Methods without a policy (health, reflection) are open.
 */
export function identityInterceptor(verifier: TokenVerifier): Interceptor {
  return (next) => async (request) => {
    const { role } = policyOf(request.method);
    if (role === Role.UNSPECIFIED) return next(request);
    const header = (request as unknown as ServerCall).authorization;
    if (header === undefined) {
      throw rpcError(
        Code.Unauthenticated,
        ErrorReason.CREDENTIALS_MISSING,
        'no credentials: send "authorization: Bearer <token>"',
      );
    }
    const principal = await verifier.verify(header.replace(/^Bearer /i, ''));
    if (!principal.roles.includes(role)) {
      throw rpcError(
        Code.PermissionDenied,
        ErrorReason.ROLE_MISSING,
        `${request.method.name} needs the role "${roleName(role)}"`,
        { metadata: { role: roleName(role) } },
      );
    }
    request.contextValues.set(principalKey, principal);
    return next(request);
  };
}
