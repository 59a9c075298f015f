import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { ConfigSchema, type JwtConfig, JwtConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { readEdgeSettings } from '../config.ts';
import { hashKey, keySourceOf } from './api-keys.ts';
import { type Authenticate, createAuthenticator } from './authenticate.ts';
import { createJwtVerifier } from './jwt.ts';
import { readJwtSettings } from './jwt-settings.ts';

const startedAt = Date.UTC(2026, 0, 1);

const failure = async (
  work: Promise<unknown>,
): Promise<{ code: Code; reason: string | undefined; error: ConnectError }> => {
  try {
    await work;
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return { code: error.code, reason: errorInfoOf(error)?.reason, error };
  }
  throw new Error('it did not fail');
};

describe('API keys', () => {
  let now = startedAt;
  const config = create(ConfigSchema, {
    edge: {
      apiKeys: [
        { id: 'shop', sha256: hashKey('shop-key'), tenant: 'acme', groups: ['staff'], roles: [Role.EDITOR] },
        { id: 'plain', sha256: hashKey('plain-key'), tenant: 'acme', user: 'ann' },
        { id: 'old', sha256: hashKey('old-key'), tenant: 'acme', expiresAt: timestampFromMs(startedAt + 1000) },
      ],
    },
  });
  const { apiKeys } = readEdgeSettings(config);
  const authenticate = createAuthenticator({ keys: [keySourceOf(apiKeys)], verifyJwt: undefined }, () => now);
  const by = async (headers: Record<string, string>) =>
    (await authenticate((name) => headers[name], '127.0.0.1')).principal;

  test('a key identifies its principal, in either header', async () => {
    const principal = { tenant: 'acme', user: 'shop', groups: ['staff'], roles: [Role.EDITOR] };
    expect(await by({ authorization: 'Bearer shop-key' })).toMatchObject(principal);
    expect(await by({ authorization: 'bearer  shop-key ' })).toMatchObject(principal);
    expect(await by({ 'x-api-key': 'shop-key' })).toMatchObject(principal);
    expect(await by({ 'x-api-key': 'plain-key' })).toMatchObject({ user: 'ann', groups: [], roles: [Role.READER] });
  });

  test('what is no key is refused, and says what to send', async () => {
    const cases: [Record<string, string>, string][] = [
      [{}, 'CREDENTIALS_MISSING'],
      [{ authorization: '' }, 'CREDENTIALS_MISSING'],
      [{ authorization: 'Basic c2hvcDo=' }, 'CREDENTIALS_INVALID'],
      [{ authorization: 'Bearer' }, 'CREDENTIALS_INVALID'],
      [{ authorization: 'Bearer shop-key2' }, 'CREDENTIALS_INVALID'],
      [{ authorization: `Bearer ${hashKey('shop-key')}` }, 'CREDENTIALS_INVALID'],
      [{ authorization: 'Bearer nobody', 'x-api-key': 'shop-key' }, 'CREDENTIALS_INVALID'],
      [{ authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' }, 'CREDENTIALS_INVALID'],
    ];
    for (const [headers, reason] of cases) {
      expect(await failure(by(headers))).toMatchObject({ code: Code.Unauthenticated, reason });
    }
  });

  test('a key ends to be valid at its time', async () => {
    now = startedAt + 999;
    expect(await by({ 'x-api-key': 'old-key' })).toMatchObject({ user: 'old' });
    now = startedAt + 1000;
    const { code, reason, error } = await failure(by({ 'x-api-key': 'old-key' }));
    expect([code, reason]).toEqual([Code.Unauthenticated, 'CREDENTIALS_EXPIRED']);
    expect(errorInfoOf(error)?.metadata).toEqual({ expired_at: '2026-01-01T00:00:01.000Z' });
  });
});

describe('tokens', () => {
  const claims = {
    tenant: 'acme',
    sub: 'ann',
    groups: ['staff'],
    roles: ['reader', 'editor', 'model_user', 'service', 'their-own'],
  };
  interface Signing {
    alg: string;
    key: KeyObject | Uint8Array;
    config: Partial<JwtConfig>;
  }
  const pair = (type: 'rsa' | 'ed25519' | 'ec', options: object = {}) =>
    generateKeyPairSync(type as 'rsa', { modulusLength: 2048, ...options } as { modulusLength: number });
  const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;
  const rsa = pair('rsa');
  const ed = pair('ed25519');
  const ec = pair('ec', { namedCurve: 'P-256' });
  const secret = 's'.repeat(32);
  const signings: Record<string, Signing> = {
    'a shared secret': { alg: 'HS256', key: new TextEncoder().encode(secret), config: { secret } },
    'an RSA key': { alg: 'RS256', key: rsa.privateKey, config: { publicKey: pem(rsa.publicKey) } },
    'an Ed25519 key': { alg: 'EdDSA', key: ed.privateKey, config: { publicKey: pem(ed.publicKey) } },
    'an EC key': { alg: 'ES256', key: ec.privateKey, config: { publicKey: pem(ec.publicKey) } },
  };

  const sign = (
    { alg, key }: Pick<Signing, 'alg' | 'key'>,
    payload: JWTPayload = claims,
    { issuer = 'https://id.example', audience = 'ragmesh', expiresInSeconds = 60 as number | null, kid = 'k1' } = {},
  ) => {
    const token = new SignJWT(payload).setProtectedHeader({ alg, kid }).setIssuer(issuer).setAudience(audience);
    token.setIssuedAt(startedAt / 1000);
    if (expiresInSeconds !== null) token.setExpirationTime(startedAt / 1000 + expiresInSeconds);
    return token.sign(key);
  };
  const settings = (config: Partial<JwtConfig>) =>
    readJwtSettings(
      create(JwtConfigSchema, { issuer: 'https://id.example', audience: 'ragmesh', ...config } as JwtConfig),
    );
  const authenticatorOf = (config: Partial<JwtConfig>, clock = () => startedAt) =>
    createAuthenticator({ keys: [], verifyJwt: createJwtVerifier(settings(config), clock) }, clock);
  const use = async (authenticate: Authenticate, token: string) =>
    (await authenticate((name) => (name === 'authorization' ? `Bearer ${token}` : undefined), '127.0.0.1')).principal;

  test.each(Object.keys(signings))('signed with %s identify the principal of their claims', async (name) => {
    const signing = signings[name] as Signing;
    const principal = await use(authenticatorOf(signing.config), await sign(signing));
    expect(principal).toMatchObject({ tenant: 'acme', user: 'ann', groups: ['staff'] });
    // Roles of other applications, and the mesh's own, are not given.
    expect(principal.roles).toEqual([Role.READER, Role.EDITOR, Role.MODEL_USER]);
  });

  test('of others, for others, without an end or with a wrong signature are refused', async () => {
    const signing = signings['an RSA key'] as Signing;
    const authenticate = authenticatorOf(signing.config);
    const good = await sign(signing);
    const bad = [
      await sign(signing, claims, { issuer: 'https://evil.example' }),
      await sign(signing, claims, { audience: 'another' }),
      await sign(signing, claims, { expiresInSeconds: null }),
      await sign({ alg: 'RS256', key: pair('rsa').privateKey }),
      `${good.slice(0, -6)}AAAAAA`,
      // The public key, which anybody has, as if it were a shared secret.
      await sign({ alg: 'HS256', key: new TextEncoder().encode(pem(rsa.publicKey)) }),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`,
    ];
    for (const token of bad) {
      expect(await failure(use(authenticate, token))).toMatchObject({
        code: Code.Unauthenticated,
        reason: 'CREDENTIALS_INVALID',
      });
    }
  });

  test('expire, also if they were seen before', async () => {
    const signing = signings['a shared secret'] as Signing;
    let now = startedAt;
    const authenticate = authenticatorOf(signing.config, () => now);
    const token = await sign(signing);
    expect((await use(authenticate, token)).user).toBe('ann');
    now += 59_000;
    expect((await use(authenticate, token)).user).toBe('ann');
    now += 6_001;
    expect(await failure(use(authenticate, token))).toMatchObject({ reason: 'CREDENTIALS_EXPIRED' });
  });

  test('need a tenant and a user that can be ones', async () => {
    const signing = signings['a shared secret'] as Signing;
    const authenticate = authenticatorOf(signing.config);
    const bad: JWTPayload[] = [
      { sub: 'ann' },
      { tenant: 'acme' },
      { ...claims, tenant: '../acme' },
      { ...claims, tenant: ['acme'] },
      { ...claims, groups: [1] },
      { ...claims, groups: { staff: true } },
      { ...claims, sub: 'x'.repeat(200) },
    ];
    for (const payload of bad) {
      const { code, reason } = await failure(use(authenticate, await sign(signing, payload)));
      expect([code, reason]).toEqual([Code.Unauthenticated, 'CREDENTIALS_INVALID']);
    }
  });

  test("may have their claims under the provider's own names", async () => {
    const signing = signings['a shared secret'] as Signing;
    const authenticate = authenticatorOf({
      ...signing.config,
      tenantClaim: 'https://shop.example/tenant',
      groupsClaim: 'team',
      rolesClaim: 'realm_access.roles',
    });
    const token = await sign(signing, {
      sub: 'ann',
      'https://shop.example/tenant': 'acme',
      team: 'sales',
      realm_access: { roles: ['auditor'] },
    });
    expect(await use(authenticate, token)).toMatchObject({ tenant: 'acme', groups: ['sales'], roles: [Role.AUDITOR] });
    const plain = authenticatorOf(signing.config);
    expect((await use(plain, await sign(signing, { sub: 'a', tenant: 'acme' }))).roles).toEqual([Role.READER]);
    expect((await use(plain, await sign(signing, { sub: 'a', tenant: 'acme', roles: [] }))).roles).toEqual([]);
  });

  test('are checked with the keys that the provider publishes; without them, no caller is admitted', async () => {
    const jwk = { ...(await exportJWK(rsa.publicKey)), kid: 'k1', use: 'sig' };
    let body: string | undefined = JSON.stringify({ keys: [jwk] });
    const provider = createServer((_, response) => {
      response.statusCode = body === undefined ? 500 : 200;
      response.setHeader('content-type', 'application/json');
      response.end(body);
    });
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/keys`;
    const signing = signings['an RSA key'] as Signing;
    expect((await use(authenticatorOf({ jwksUrl }), await sign(signing))).user).toBe('ann');
    const unknownKey = await failure(use(authenticatorOf({ jwksUrl }), await sign(signing, claims, { kid: 'k2' })));
    expect(unknownKey.reason).toBe('CREDENTIALS_INVALID');
    body = undefined;
    const down = await failure(use(authenticatorOf({ jwksUrl }), await sign(signing)));
    expect([down.code, down.reason]).toEqual([Code.Unavailable, 'DEPENDENCY_UNAVAILABLE']);
    await new Promise((resolve) => {
      provider.close(resolve);
      provider.closeAllConnections();
    });
  });
});
