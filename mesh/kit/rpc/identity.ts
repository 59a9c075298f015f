import { createPublicKey, type KeyObject } from 'node:crypto';
import { create, fromJson, type JsonValue, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { decodeJwt, type JWTPayload, errors as joseErrors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '../base/errors.ts';
import { type IdentityKeys, toJwk } from './identity-keys.ts';
import { createCheck } from './interceptors/validation.ts';

const issuer = 'ragmesh';
const meshAudience = 'ragmesh-mesh';
const algorithm = 'EdDSA';

/** Begins the secrets of API keys that the service `accounts` makes, so that scanners of leaked secrets find them. */
export const apiKeyPrefix = 'rmk_';

/** Longest time between the making of a token and its end, in seconds: a day, as `npm run token` allows. */
const maxLifetimeSeconds = 24 * 60 * 60 + 1;
/** Clocks of the processes of a mesh differ by less, in seconds. */
const skewSeconds = 60;

/** Makes tokens that identify a principal: in the edge, which authenticates callers, and in the indexer, which works without them. */
export interface TokenSigner {
  /** A token for the principal, valid for at least half of the signer's lifetime. */
  sign(principal: Principal): Promise<string>;
  /** A token for the principal that is valid for `audience` alone, outside of the mesh, and for `lifetimeMs` from now. */
  signFor(principal: Principal, audience: string, lifetimeMs: number): Promise<string>;
}

/** A signer whose key can be replaced while it is in use. */
export interface KeyedSigner extends TokenSigner {
  use(privateKey: KeyObject): void;
}

/** Checks tokens. */
export interface TokenVerifier {
  /** The principal of a token that was found genuine before and has not expired; else `undefined`: verify it. */
  known(token: string): Principal | undefined;
  /** Returns the principal of a token. Throws UNAUTHENTICATED if the token is not genuine, or has expired. */
  verify(token: string): Promise<Principal>;
  /** Replaces the keys: from now on tokens of other keys are refused. */
  use(keys: VerificationKeys): void;
}

/** The keys whose tokens are genuine. */
export type VerificationKeys = Omit<IdentityKeys, 'privateKey'>;

/** Creates a signer. `lifetimeMs` is how long a token is valid. @default 600000: a reused token still outlives the longest rpc */
export function createTokenSigner(privateKey: KeyObject, clock: () => number, lifetimeMs = 600_000): KeyedSigner {
  let key = privateKey;
  let header = headerOf(key);
  // Signing costs far more than a look-up, and a principal's calls come in bursts: a token serves half of its life.
  const recent = new LRUCache<string, Promise<string>>({
    max: 10_000,
    ttl: lifetimeMs / 2,
    ttlResolution: 0,
    perf: { now: clock },
  });
  // The principal of an API key is the same object in each of its calls, and frozen.
  const claims = new WeakMap<Principal, { claim: JsonValue; text: string }>();
  const claimOf = (principal: Principal) => {
    const known = claims.get(principal);
    if (known !== undefined) return known;
    const claim = toJson(PrincipalSchema, principal);
    const made = { claim, text: JSON.stringify(claim) };
    if (Object.isFrozen(principal)) claims.set(principal, made);
    return made;
  };
  const make = (claim: JsonValue, principal: Principal, audience: string, lifetimeMs: number) => {
    const now = clock();
    return new SignJWT({ principal: claim })
      .setProtectedHeader(header)
      .setIssuer(issuer)
      .setSubject(subjectOf(principal))
      .setAudience(audience)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.ceil((now + lifetimeMs) / 1000))
      .sign(key);
  };
  return {
    signFor: (principal, audience, lifetimeMs) => make(claimOf(principal).claim, principal, audience, lifetimeMs),
    sign(principal) {
      const { claim, text } = claimOf(principal);
      let token = recent.get(text);
      if (token === undefined) {
        token = make(claim, principal, meshAudience, lifetimeMs);
        token.catch(() => recent.delete(text));
        recent.set(text, token);
      }
      return token;
    },
    use(next) {
      key = next;
      header = headerOf(next);
      recent.clear();
    },
  };
}

function headerOf(privateKey: KeyObject) {
  return { alg: algorithm, kid: toJwk(createPublicKey(privateKey)).kid };
}

/** Returns who a token is for, in the form in which proxies compare it: both names escaped, so that the "/" between them is the only one. */
function subjectOf({ tenant, user }: Principal): string {
  return `${encodeURIComponent(tenant)}/${encodeURIComponent(user)}`;
}

/**
 * Creates a verifier. Tokens that were found genuine are remembered until they expire. A token names its key (`kid`); one without a name, as
 * an earlier release makes it, must be of the first key. A token that is valid for more than a day, or whose principal breaks the
 * contract, is refused although it is genuine.
 */
export function createTokenVerifier(keys: VerificationKeys, clock: () => number): TokenVerifier {
  const genuine = new LRUCache<string, { principal: Principal; expiresAt: number }>({ max: 10_000 });
  const check = createCheck();
  let byId = keysById(keys);
  let current = keys.publicKey;
  const known = (token: string) => {
    const found = genuine.get(token);
    return found !== undefined && found.expiresAt > clock() ? found.principal : undefined;
  };
  const keyOf = ({ kid }: { kid?: string }): KeyObject => {
    const key = kid === undefined ? current : byId.get(kid);
    if (key === undefined) throw new Error(`no key "${kid}"`);
    return key;
  };
  return {
    known,
    use(next) {
      byId = keysById(next);
      current = next.publicKey;
      genuine.clear();
    },
    async verify(token) {
      const found = known(token);
      if (found !== undefined) return found;
      const now = clock();
      try {
        const { payload } = await jwtVerify<{ principal: JsonValue }>(token, keyOf, {
          issuer,
          audience: meshAudience,
          algorithms: [algorithm],
          currentDate: new Date(now),
          requiredClaims: ['exp', 'iat', 'principal'],
        });
        requireLifetime(payload, now);
        const principal = Object.freeze(fromJson(PrincipalSchema, payload.principal));
        check(PrincipalSchema, principal);
        genuine.set(token, { principal, expiresAt: (payload.exp ?? 0) * 1000 });
        return principal;
      } catch (error) {
        throw toCredentialsError(error);
      }
    },
  };
}

function keysById({ publicKey, acceptedKeys }: VerificationKeys): Map<string, KeyObject> {
  return new Map([publicKey, ...acceptedKeys].map((key) => [toJwk(key).kid, key]));
}

function requireLifetime({ iat = 0, exp = 0 }: JWTPayload, nowMs: number): void {
  if (exp - iat > maxLifetimeSeconds) throw new Error('the token is valid for more than a day');
  if (iat > nowMs / 1000 + skewSeconds) throw new Error('the token was made in the future');
}

/** Returns whether a credential says that it is a token of the mesh. It may be forged: only a verifier knows. */
export function isMeshToken(credential: string): boolean {
  try {
    return decodeJwt(credential).aud === meshAudience;
  } catch {
    return false;
  }
}

/** Makes and checks a token, so that the first call of the process finds the keys imported and the code compiled. */
export async function warmUpTokens(signer: TokenSigner, verifier: TokenVerifier): Promise<void> {
  await verifier.verify(await signer.sign(principalOf({ tenant: 'warm-up', user: 'warm-up' })));
}

/** An error of jose as UNAUTHENTICATED, with what to do. */
export function toCredentialsError(error: unknown) {
  if (error instanceof joseErrors.JWTExpired) {
    const expiredAt = new Date((error.payload.exp ?? 0) * 1000).toISOString();
    return rpcError(
      Code.Unauthenticated,
      ErrorReason.CREDENTIALS_EXPIRED,
      `the token expired at ${expiredAt}: get a new one`,
      { metadata: { expired_at: expiredAt }, cause: error },
    );
  }
  return rpcError(Code.Unauthenticated, ErrorReason.CREDENTIALS_INVALID, 'the token is not valid here', {
    cause: error,
  });
}

/** A principal, for tests and for work that the mesh does on its own. */
export function principalOf(
  init: MessageInitShape<typeof PrincipalSchema> & { tenant: string; user: string },
): Principal {
  return create(PrincipalSchema, init);
}
