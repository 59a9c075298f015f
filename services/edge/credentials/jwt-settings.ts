import { createPublicKey, type KeyObject } from 'node:crypto';
import type { JwtConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { isLoopback } from './loopback.ts';

/** What checks the signature of a token. */
export type JwtKey =
  | { kind: 'jwks'; url: URL; algorithms: readonly string[] }
  | { kind: 'public'; key: KeyObject; algorithms: readonly string[] }
  | { kind: 'secret'; secret: Uint8Array; algorithms: readonly string[] };

/** Which tokens of an identity provider are good, and what their claims mean. */
export interface JwtSettings {
  issuer: string;
  /** A token must name one of them. */
  audiences: readonly string[];
  key: JwtKey;
  tenantClaim: string;
  groupsClaim: string;
  rolesClaim: string;
}

/** Settings from the configuration. `own`: addresses of the edge, which are audiences too. Throws ConfigError. */
export function readJwtSettings(config: JwtConfig, own: readonly string[] = []): JwtSettings {
  for (const name of ['issuer', 'audience'] as const) {
    if (config[name] === '')
      throw new ConfigError(`edge.jwt.${name}`, 'is missing: a token of anybody would do without it');
  }
  return Object.freeze({
    issuer: config.issuer,
    audiences: Object.freeze([config.audience, ...own]),
    key: readKey(config),
    tenantClaim: config.tenantClaim,
    groupsClaim: config.groupsClaim,
    rolesClaim: config.rolesClaim,
  });
}

const rsaPss = ['PS256', 'PS384', 'PS512'];
const rsa = ['RS256', 'RS384', 'RS512', ...rsaPss];
const edwards = ['EdDSA', 'Ed25519'];
const ellipticByCurve: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

function readKey(config: JwtConfig): JwtKey {
  const given = (['jwksUrl', 'publicKey', 'secret'] as const).filter((name) => config[name] !== '');
  switch (given.length === 1 ? given[0] : undefined) {
    case 'jwksUrl':
      // A set of keys never holds a shared secret: a token that is "signed" with a public key as its secret fails.
      return {
        kind: 'jwks',
        url: readUrl(config.jwksUrl),
        algorithms: [...rsa, ...Object.values(ellipticByCurve), ...edwards],
      };
    case 'publicKey': {
      const key = readPublicKey(config.publicKey);
      return { kind: 'public', key, algorithms: algorithmsOf(key) };
    }
    case 'secret': {
      const secret = new TextEncoder().encode(config.secret);
      if (secret.length < 32)
        throw new ConfigError('edge.jwt.secret', `has ${secret.length} bytes: at least 32 are needed`);
      return { kind: 'secret', secret, algorithms: ['HS256'] };
    }
    default:
      throw new ConfigError('edge.jwt', 'needs exactly one of jwks_url, public_key and secret');
  }
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isPrivateName(url.hostname))) return url;
  throw new ConfigError('edge.jwt.jwks_url', `is "${text}": an https address is needed, or http inside the cluster`);
}

// Names without a dot, and those of a cluster, are never resolved over the internet.
function isPrivateName(name: string): boolean {
  return isLoopback(name) || !name.includes('.') || /\.(svc|local|internal)$/.test(name);
}

function readPublicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new ConfigError('edge.jwt.public_key', `is not a public key in PEM: ${(error as Error).message}`);
  }
}

function algorithmsOf(key: KeyObject): string[] {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return rsa;
    case 'rsa-pss':
      return rsaPss;
    case 'ed25519':
      return edwards;
    case 'ec': {
      const algorithm = ellipticByCurve[key.asymmetricKeyDetails?.namedCurve ?? ''];
      if (algorithm !== undefined) return [algorithm];
    }
  }
  throw new ConfigError('edge.jwt.public_key', `is of a kind that signs no tokens (${key.asymmetricKeyType})`, [
    'RSA',
    'EC P-256, P-384 or P-521',
    'Ed25519',
  ]);
}
