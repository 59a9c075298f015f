import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectError } from '@connectrpc/connect';
import { ApiKeyKind, type CreateApiKeyRequest } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import { isNetwork } from '#kit/http/networks.ts';
import { roleName } from '#kit/rpc/policy.ts';

// What an administrator may give, decided here and nowhere else.

/** Returns the tenant of a request. Throws PERMISSION_DENIED if it is another one than the caller's, who may not act there. */
export function tenantOf({ tenant, roles }: Principal, requested: string): string {
  if (requested === '' || requested === tenant) return tenant;
  if (roles.includes(Role.PLATFORM_ADMINISTRATOR)) return requested;
  throw rpcError(
    Code.PermissionDenied,
    ErrorReason.TENANT_MISMATCH,
    `tenant: only a platform administrator acts in another tenant than "${tenant}": leave it empty`,
  );
}

/**
 * Throws if the caller may not make the key. A key has no role that its creator lacks, and in the creator's tenant no group. A key of another
 * tenant, break-glass access, may have any group of it, needs a reason, ends within `breakGlassMs`, and never administers the platform.
 */
export function checkGrant(caller: Principal, request: CreateApiKeyRequest, nowMs: number, breakGlassMs: number): void {
  checkForm(request, nowMs);
  const tenant = tenantOf(caller, request.tenant);
  for (const role of request.roles) {
    if (!caller.roles.includes(role)) throw exceeded('role', roleName(role));
  }
  if (caller.corpora.length > 0) throw exceeded('corpora', 'all');
  if (tenant === caller.tenant) {
    if (request.reason !== '') throw invalid('reason', 'is for a key of another tenant: leave it empty');
    const missing = request.groups.find((group) => !caller.groups.includes(group));
    if (missing !== undefined) throw exceeded('group', missing);
    return;
  }
  if (request.reason === '') throw invalid('reason', 'is missing: access to another tenant needs one');
  if (request.roles.includes(Role.PLATFORM_ADMINISTRATOR)) throw exceeded('role', 'platform_administrator');
  const endsMs = request.expiresAt && timestampMs(request.expiresAt);
  if (endsMs === undefined || endsMs > nowMs + breakGlassMs) {
    throw invalid('expires_at', `must be within ${breakGlassMs / 3_600_000} hours: the key is of another tenant`);
  }
}

/** Throws INVALID_ARGUMENT for fields that contradict each other. */
function checkForm(
  { kind, user, roles, models, corpora, addresses, groups, expiresAt }: CreateApiKeyRequest,
  nowMs: number,
): void {
  if (kind === ApiKeyKind.USER && user === '') throw invalid('user', "is missing: a user's key needs it");
  if (kind === ApiKeyKind.SERVICE_ACCOUNT && user !== '') {
    throw invalid('user', 'is for keys of users: a service account calls as itself');
  }
  if (kind === ApiKeyKind.USER && user.startsWith(serviceUserPrefix)) {
    throw invalid('user', `must not begin with "${serviceUserPrefix}": these are the service accounts`);
  }
  if (models.length > 0 && !roles.includes(Role.MODEL_USER))
    throw invalid('models', 'has no effect without ROLE_MODEL_USER');
  const isLimitable = roles.every((role) => role === Role.READER || role === Role.MODEL_USER);
  if (corpora.length > 0 && !isLimitable) {
    throw invalid('corpora', 'limits only ROLE_READER and ROLE_MODEL_USER: give the other roles by another key');
  }
  const odd = addresses.find((address) => !isNetwork(address));
  if (odd !== undefined) throw invalid('addresses', `"${odd}" is neither an address nor a network such as 10.1.0.0/16`);
  if (groups.some((group) => group.startsWith('*'))) throw invalid('groups', 'a group never begins with a star');
  if (expiresAt !== undefined && timestampMs(expiresAt) <= nowMs) throw invalid('expires_at', 'has passed');
}

/** Users of service accounts begin with it. */
export const serviceUserPrefix = 'service/';

function invalid(field: string, description: string): ConnectError {
  return invalidArgument(`${field} ${description}`, { violations: [{ field, description }] });
}

function exceeded(kind: string, right: string): ConnectError {
  return rpcError(
    Code.PermissionDenied,
    ErrorReason.GRANT_EXCEEDED,
    `a key must not get what its creator lacks: ${kind} "${right}"`,
    { metadata: { right } },
  );
}
