import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { create, fromJson, type JsonValue, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { errors as joseErrors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { IdentityConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { rpcError } from '../base/errors.ts';

const issuer = 'ragmesh';
const meshAudience = 'ragmesh-mesh';
const algorithm = 'EdDSA';

/** Makes tokens that identify a principal: in the edge, which authenticates callers, and in the indexer, which works without them. */
export interface TokenSigner {
  /** A token for the principal, valid for at least half of the signer's lifetime. */
  sign(principal: Principal): Promise<string>;
  /** A token for the principal that is valid for `audience` alone, outside of the mesh, and for `lifetimeMs` from now. */
  signFor(principal: Principal, audience: string, lifetimeMs: number): Promise<string>;
}

/** Checks tokens. */
export interface TokenVerifier {
  /** The principal of a token that was found genuine before and has not expired; else `undefined`: verify it. */
  known(token: string): Principal | undefined;
  /** Returns the principal of a token. Throws UNAUTHENTICATED if the token is not genuine, or has expired. */
  verify(token: string): Promise<Principal>;
}

/** Keys of the mesh: Ed25519. Only processes that make tokens have the private one. */
export interface IdentityKeys {
  privateKey?: KeyObject;
  publicKey: KeyObject;
}

/**
 * The keys that are configured, or those in `<dataDir>/identity.pem`, which is made at the first start and readable by its
 * owner only: processes that share a data folder share their identity.
 */
export function loadIdentityKeys(config: IdentityConfig | undefined, dataDir: string): IdentityKeys {
  if (config?.privateKey) {
    const privateKey = createPrivateKey(config.privateKey);
    return { privateKey, publicKey: createPublicKey(privateKey) };
  }
  if (config?.publicKey) return { publicKey: createPublicKey(config.publicKey) };
  const privateKey = createPrivateKey(readOrCreate(join(dataDir, 'identity.pem')));
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function readOrCreate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  mkdirSync(dirname(path), { recursive: true });
  // Written to another file and linked: no process reads half a key, and of two that start concurrently both use the key of the first.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, pem, { mode: 0o600 });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8');
}

/** Creates a signer. `lifetimeMs` is how long a token is valid. @default 600000: a reused token still outlives the longest rpc */
export function createTokenSigner(privateKey: KeyObject, clock: () => number, lifetimeMs = 600_000): TokenSigner {
  // Signing costs far more than a look-up, and a principal's calls come in bursts: a token serves half of its life.
  const recent = new LRUCache<string, Promise<string>>({
    max: 10_000,
    ttl: lifetimeMs / 2,
    ttlResolution: 0,
    perf: { now: clock },
  });
  // The principal of an API key is the same object in each of its calls, and frozen.
  const claims = new WeakMap<Principal, { claim: JsonValue; key: string }>();
  const claimOf = (principal: Principal) => {
    const known = claims.get(principal);
    if (known !== undefined) return known;
    const claim = toJson(PrincipalSchema, principal);
    const made = { claim, key: JSON.stringify(claim) };
    if (Object.isFrozen(principal)) claims.set(principal, made);
    return made;
  };
  const make = (claim: JsonValue, principal: Principal, audience: string, lifetimeMs: number) => {
    const now = clock();
    return new SignJWT({ principal: claim })
      .setProtectedHeader({ alg: algorithm })
      .setIssuer(issuer)
      .setSubject(subjectOf(principal))
      .setAudience(audience)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.ceil((now + lifetimeMs) / 1000))
      .sign(privateKey);
  };
  return {
    signFor: (principal, audience, lifetimeMs) => make(claimOf(principal).claim, principal, audience, lifetimeMs),
    sign(principal) {
      const { claim, key } = claimOf(principal);
      let token = recent.get(key);
      if (token === undefined) {
        token = make(claim, principal, meshAudience, lifetimeMs);
        token.catch(() => recent.delete(key));
        recent.set(key, token);
      }
      return token;
    },
  };
}

/** Returns who a token is for, in the form in which proxies compare it: both names escaped, so that the "/" between them is the only one. */
function subjectOf({ tenant, user }: Principal): string {
  return `${encodeURIComponent(tenant)}/${encodeURIComponent(user)}`;
}

/** Creates a verifier. Tokens that were found genuine are remembered until they expire. */
export function createTokenVerifier(publicKey: KeyObject, clock: () => number): TokenVerifier {
  const genuine = new LRUCache<string, { principal: Principal; expiresAt: number }>({ max: 10_000 });
  const known = (token: string) => {
    const found = genuine.get(token);
    return found !== undefined && found.expiresAt > clock() ? found.principal : undefined;
  };
  return {
    known,
    async verify(token) {
      const found = known(token);
      if (found !== undefined) return found;
      const now = clock();
      try {
        const { payload } = await jwtVerify<{ principal: JsonValue }>(token, publicKey, {
          issuer,
          audience: meshAudience,
          algorithms: [algorithm],
          currentDate: new Date(now),
          requiredClaims: ['exp', 'principal'],
        });
        const principal = Object.freeze(fromJson(PrincipalSchema, payload.principal));
        genuine.set(token, { principal, expiresAt: (payload.exp ?? 0) * 1000 });
        return principal;
      } catch (error) {
        throw toCredentialsError(error);
      }
    },
  };
}

/** Makes and checks a token, so that the first call of the process finds the keys imported and the code compiled. */
export async function warmUpTokens(privateKey: KeyObject, publicKey: KeyObject, clock: () => number): Promise<void> {
  const token = await createTokenSigner(privateKey, clock).sign(principalOf({ tenant: 'warm-up', user: 'warm-up' }));
  await createTokenVerifier(publicKey, clock).verify(token);
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
