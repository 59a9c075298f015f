import { Code } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { createKeyRing, type KeyRingHooks, type KeySource } from './api-keys.ts';
import { looksLikeJwt } from './jwt.ts';

/** A request header by its lower-case name. */
export type HeaderReader = (name: string) => string | null | undefined;

/** The caller, and its credentials. */
export interface Caller {
  principal: Principal;
  /** Id of the API key; `undefined` for a JWT. */
  keyId?: string;
  /** Models and routes that the API key may name; `undefined`: all. */
  models?: readonly string[];
}

/** Returns the caller by the headers of a request and the address that it comes from. Throws UNAUTHENTICATED. */
export type Authenticate = (header: HeaderReader, address: string) => Promise<Caller>;

/** Valid credentials. */
export interface Credentials {
  /** The first source that has a key counts. */
  keys: readonly KeySource[];
  /** Throws UNAVAILABLE for a credential that a source of keys cannot judge at the moment. */
  requireKnown?(credential: string): void;
  /** Checks a token of the identity provider; `undefined`: no tokens. */
  verifyJwt: ((token: string) => Promise<Principal>) | undefined;
}

/**
 * Authenticates the callers of every face; nothing else does. A key comes as `authorization: Bearer <key>` or as
 * `x-api-key: <key>` or `api-key: <key>`, a token as `authorization: Bearer <token>`; `authorization` counts if both are sent.
 */
export function createAuthenticator(
  credentials: Credentials,
  clock: () => number,
  hooks: KeyRingHooks = {},
): Authenticate {
  const findKey = createKeyRing(credentials.keys, clock, hooks);
  const { verifyJwt } = credentials;
  return async (header, address) => {
    const credential = readCredential(header);
    const holder = findKey(credential, address);
    if (holder !== undefined) return holder;
    credentials.requireKnown?.(credential);
    if (verifyJwt !== undefined && looksLikeJwt(credential)) return { principal: await verifyJwt(credential) };
    throw rpcError(Code.Unauthenticated, ErrorReason.CREDENTIALS_INVALID, 'the key or token is not known here');
  };
}

function readCredential(header: HeaderReader): string {
  const authorization = header('authorization');
  if (authorization) {
    const bearer = /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1];
    if (bearer !== undefined) return bearer;
    throw rpcError(
      Code.Unauthenticated,
      ErrorReason.CREDENTIALS_INVALID,
      'the authorization header must be "Bearer <key or token>"',
    );
  }
  // Clients of Azure OpenAI send `api-key`.
  const key = header('x-api-key')?.trim() || header('api-key')?.trim();
  if (key) return key;
  throw rpcError(
    Code.Unauthenticated,
    ErrorReason.CREDENTIALS_MISSING,
    'no credentials: send "authorization: Bearer <key or token>" or "x-api-key: <key>"',
  );
}
