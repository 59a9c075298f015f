import { generateKeyPairSync } from 'node:crypto';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { ConfigSchema, type EdgeConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readEdgeSettings } from './config.ts';
import { hashKey } from './credentials/api-keys.ts';

const read = (edge: MessageInitShape<typeof EdgeConfigSchema> = {}) => readEdgeSettings(create(ConfigSchema, { edge }));
const key = { id: 'k', sha256: hashKey('k'), tenant: 'acme' };
const jwt = { issuer: 'i', audience: 'a', secret: 's'.repeat(32) };

test('without configuration the edge listens on this machine only, with development keys', () => {
  expect(read()).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    usesDevKeys: true,
    tenantLimit: { perSecond: 100, burst: 200 },
    userLimit: { perSecond: 20, burst: 40 },
    userMaxConcurrent: 8,
    accessLogRatio: 1,
  });
  for (const host of ['localhost', '::1', '127.0.0.2']) expect(read({ host }).usesDevKeys).toBe(true);
});

test('on an address that others reach it does not start without credentials, and says what to set', () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) {
    expect(() => read({ host })).toThrow(/edge\.host.*edge\.api_keys or edge\.jwt/);
    expect(read({ host, apiKeys: [key] }).usesDevKeys).toBe(false);
    expect(read({ host, jwt }).usesDevKeys).toBe(false);
  }
});

test('a bad value names its path', () => {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  expect(privateKey.type).toBe('private');
  const cases: [MessageInitShape<typeof EdgeConfigSchema>, RegExp][] = [
    [{ apiKeys: [key, key] }, /edge\.api_keys\[1\]\.id/],
    [{ apiKeys: [key, { ...key, id: 'l' }] }, /edge\.api_keys\[1\]\.sha256/],
    [{ apiKeys: [{ ...key, sha256: 'k' }] }, /edge\.api_keys\[0\]\.sha256.*SHA-256/],
    [{ apiKeys: [{ ...key, roles: [Role.SERVICE] }] }, /edge\.api_keys\[0\]\.roles.*ROLE_READER/],
    [{ apiKeys: [{ ...key, models: ['gpt-5'] }] }, /edge\.api_keys\[0\]\.models.*ROLE_MODEL_USER/],
    [{ jwt: { ...jwt, issuer: '' } }, /edge\.jwt\.issuer/],
    [{ jwt: { ...jwt, audience: '' } }, /edge\.jwt\.audience/],
    [{ jwt: { ...jwt, secret: 'short' } }, /edge\.jwt\.secret.*32/],
    [{ jwt: { ...jwt, jwksUrl: 'https://id.example' } }, /edge\.jwt: needs exactly one/],
    [{ jwt: { ...jwt, secret: '' } }, /edge\.jwt: needs exactly one/],
    [{ jwt: { ...jwt, secret: '', jwksUrl: 'http://id.example/keys' } }, /edge\.jwt\.jwks_url.*https/],
    [{ jwt: { ...jwt, secret: '', publicKey: 'no' } }, /edge\.jwt\.public_key.*PEM/],
    [{ jwt: { ...jwt, secret: '', publicKey: pem } }, /edge\.jwt\.public_key.*x25519.*RSA/],
    [{ corsOrigins: ['https://a.example', 'https://b.example/'] }, /edge\.cors_origins\[1\]/],
    [{ corsOrigins: ['a.example'] }, /edge\.cors_origins\[0\]/],
  ];
  for (const [edge, message] of cases) expect(() => read(edge)).toThrow(message);
});

test('a secret does not show in an error', () => {
  expect(() => read({ jwt: { ...jwt, secret: 'hunter2' } })).not.toThrow(/hunter2/);
});
