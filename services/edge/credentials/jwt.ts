import { create } from '@bufbuild/protobuf';
import { createValidator } from '@bufbuild/protovalidate';
import { Code, type ConnectError } from '@connectrpc/connect';
import { type JWTPayload, type JWTVerifyResult, errors as joseErrors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import { toCredentialsError } from '#kit/rpc/identity.ts';
import { roleName } from '#kit/rpc/policy.ts';
import { createRemoteKeys } from './jwks.ts';
import type { JwtKey, JwtSettings } from './jwt-settings.ts';

/**
 * Roles that a token may give. ROLE_SERVICE is not among them, which is for services of the mesh, nor ROLE_PLATFORM_ADMINISTRATOR, which acts
 * in other tenants and comes from keys alone.
 */
const rolesByName = new Map(
  [Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.MODEL_USER, Role.ADMINISTRATOR].map((role) => [
    roleName(role),
    role,
  ]),
);

/** Time that the clocks of the identity provider and of the edge may differ, in seconds. */
const clockToleranceSeconds = 5;

/** Time that a token is believed without another look at its signature, in milliseconds. */
const rememberedMs = 60_000;

/**
 * Checks tokens of the identity provider. The result throws CREDENTIALS_EXPIRED, CREDENTIALS_INVALID, or UNAVAILABLE if
 * the provider's keys cannot be fetched.
 */
export function createJwtVerifier(settings: JwtSettings, clock: () => number): (token: string) => Promise<Principal> {
  const verify = signatureCheck(settings.key, clock);
  const genuine = new LRUCache<string, { principal: Principal; untilMs: number }>({ max: 10_000 });
  const validator = createValidator();
  return async (token) => {
    const nowMs = clock();
    const known = genuine.get(token);
    if (known !== undefined && known.untilMs > nowMs) return known.principal;
    const { payload } = await verify(token, {
      issuer: settings.issuer,
      audience: [...settings.audiences],
      algorithms: [...settings.key.algorithms],
      currentDate: new Date(nowMs),
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['exp', 'sub'],
    }).catch((error) => {
      throw toJwtError(error);
    });
    const principal = Object.freeze(toPrincipal(payload, settings));
    const result = validator.validate(PrincipalSchema, principal);
    if (result.kind !== 'valid') {
      throw invalid(`the token's claims make no principal: ${result.error.message}`);
    }
    genuine.set(token, { principal, untilMs: Math.min((payload.exp ?? 0) * 1000, nowMs + rememberedMs) });
    return principal;
  };
}

/** Whether a credential looks like a token: three parts in base64url, the first one a JSON object. */
export function looksLikeJwt(credential: string): boolean {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential);
}

type VerifyOptions = Parameters<typeof jwtVerify>[2];

function signatureCheck(
  key: JwtKey,
  clock: () => number,
): (token: string, options: VerifyOptions) => Promise<JWTVerifyResult> {
  switch (key.kind) {
    case 'jwks': {
      const keys = createRemoteKeys(key.url, clock);
      return (token, options) => jwtVerify(token, keys, options);
    }
    case 'public':
      return (token, options) => jwtVerify(token, key.key, options);
    case 'secret':
      return (token, options) => jwtVerify(token, key.secret, options);
    default:
      return key satisfies never;
  }
}

function toPrincipal(payload: JWTPayload, settings: JwtSettings): Principal {
  const tenant = claim(payload, settings.tenantClaim);
  if (typeof tenant !== 'string')
    throw invalid(`the token has no claim "${settings.tenantClaim}" that names the tenant`);
  const roles = claim(payload, settings.rolesClaim);
  return create(PrincipalSchema, {
    tenant,
    user: payload.sub ?? '',
    groups: texts(claim(payload, settings.groupsClaim), settings.groupsClaim),
    // Roles that ragmesh does not know are those of other applications.
    roles:
      roles === undefined
        ? [Role.READER]
        : texts(roles, settings.rolesClaim).flatMap((name) => rolesByName.get(name) ?? []),
  });
}

// A claim by its whole name ("https://example.com/tenant"), or by a path into it ("realm_access.roles").
function claim(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function texts(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  if (list.every((element) => typeof element === 'string')) return list;
  throw invalid(`the token's claim "${name}" must be a text or a list of texts`);
}

function toJwtError(error: unknown): ConnectError {
  const isKeyFetch =
    error instanceof joseErrors.JWKSTimeout ||
    error instanceof joseErrors.JWKSInvalid ||
    !(error instanceof joseErrors.JOSEError) ||
    error.code === 'ERR_JOSE_GENERIC';
  return isKeyFetch
    ? unavailable('identity provider', 'the keys of the identity provider cannot be read: try again', error)
    : toCredentialsError(error);
}

function invalid(message: string): ConnectError {
  return rpcError(Code.Unauthenticated, ErrorReason.CREDENTIALS_INVALID, message);
}
