import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { decodeJwt, jwtVerify, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { IdentityConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { errorInfoOf } from '../base/errors.ts';
import { testPrincipal } from '../testing/mesh.ts';
import { accessKey, canSee, grantedGroups, visibleGroups } from './access.ts';
import { createTokenSigner, createTokenVerifier } from './identity.ts';
import { loadIdentityKeys, newKey, rotateKey, toJwk } from './identity-keys.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const keys = { publicKey, acceptedKeys: [] };
const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => 'accepted',
    (error) => errorInfoOf(error)?.reason,
  );

test('a token brings its principal across, and is refused once it has expired', async () => {
  let now = 1_000_000;
  const signer = createTokenSigner(privateKey, () => now, 60_000);
  const verifier = createTokenVerifier(keys, () => now);
  const principal = testPrincipal({ groups: ['staff'] });
  const token = await signer.sign(principal);
  expect(toJson(PrincipalSchema, await verifier.verify(token))).toEqual(toJson(PrincipalSchema, principal));
  now += 59_000;
  expect((await verifier.verify(token)).tenant).toBe('acme');
  now += 2_000;
  expect(await reasonOf(verifier.verify(token))).toBe('CREDENTIALS_EXPIRED');
  expect((await verifier.verify(await signer.sign(principal))).tenant).toBe('acme');
});

test('a token for an audience outside of the mesh is not valid inside, nor for another one', async () => {
  let now = 1_000_000_000;
  const signer = createTokenSigner(privateKey, () => now);
  const token = await signer.signFor(testPrincipal({ user: 'ann' }), 'ragmesh-tool:orders', 60_000);
  expect(decodeJwt(token)).toMatchObject({ iss: 'ragmesh', aud: 'ragmesh-tool:orders', sub: 'acme/ann' });
  expect(await reasonOf(createTokenVerifier(keys, () => now).verify(token))).toBe('CREDENTIALS_INVALID');
  const verify = (audience: string) => jwtVerify(token, publicKey, { audience, currentDate: new Date(now) });
  await expect(verify('ragmesh-tool:orders')).resolves.toBeDefined();
  await expect(verify('ragmesh-tool:refunds')).rejects.toThrow();
  now += 61_000;
  await expect(verify('ragmesh-tool:orders')).rejects.toThrow();
});

test('a token has a subject, so that a proxy can require one: the tenant and the user, distinct for every pair', async () => {
  const signer = createTokenSigner(privateKey, () => 1_000_000);
  const subjectOf = async (tenant: string, user: string) =>
    decodeJwt(await signer.sign(testPrincipal({ tenant, user }))).sub;
  expect(await subjectOf('acme', 'alice')).toBe('acme/alice');
  expect(await subjectOf('acme/alice', 'bob')).not.toBe(await subjectOf('acme', 'alice/bob'));
  expect(await subjectOf('商城', '小明')).toMatch(/^[\x21-\x7e]+$/);
});

test('a token of another key, of no key, or for another audience is refused', async () => {
  const clock = () => Date.now();
  const verifier = createTokenVerifier(keys, clock);
  const other = createTokenSigner(generateKeyPairSync('ed25519').privateKey, clock);
  expect(await reasonOf(verifier.verify(await other.sign(testPrincipal())))).toBe('CREDENTIALS_INVALID');
  const claim = toJson(PrincipalSchema, testPrincipal());
  const forged = new SignJWT({ principal: claim })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer('ragmesh')
    .setIssuedAt();
  const foreign = await forged.setAudience('elsewhere').setExpirationTime('1h').sign(privateKey);
  expect(await reasonOf(verifier.verify(foreign))).toBe('CREDENTIALS_INVALID');
  const none = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ principal: claim, exp: 9e9 }))}.`;
  expect(await reasonOf(verifier.verify(none))).toBe('CREDENTIALS_INVALID');
});

test('the key of a data folder is made once, for its owner only', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-identity-'));
  const first = loadIdentityKeys(undefined, folder);
  const second = loadIdentityKeys(undefined, folder);
  expect(second.publicKey.equals(first.publicKey)).toBe(true);
  expect(statSync(join(folder, 'identity.pem')).mode & 0o077).toBe(0);
  rmSync(folder, { recursive: true });
});

test('after a leak a rotation accepts neither the old key nor the one before it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-identity-'));
  const tokenOf = () => createTokenSigner(loadIdentityKeys(undefined, folder).privateKey as KeyObject, Date.now);
  const stolen = [await tokenOf().sign(testPrincipal())];
  rotateKey(folder);
  stolen.push(await tokenOf().sign(testPrincipal()));
  rotateKey(folder, { hasLeaked: true });
  const verifier = createTokenVerifier(loadIdentityKeys(undefined, folder), Date.now);
  for (const token of stolen) expect(await reasonOf(verifier.verify(token))).toBe('CREDENTIALS_INVALID');
  expect(await reasonOf(verifier.verify(await tokenOf().sign(testPrincipal())))).toBe('accepted');
  rmSync(folder, { recursive: true });
});

/** Returns a token that this mesh's key has signed, with claims of the test's choice. */
const signed = (claims: object, { audience = 'ragmesh-mesh', key = privateKey, header = {} } = {}) =>
  new SignJWT({ iss: 'ragmesh', aud: audience, ...claims }).setProtectedHeader({ alg: 'EdDSA', ...header }).sign(key);
const principalClaim = (init: object = {}) => ({ tenant: 'acme', user: 'ann', roles: ['ROLE_READER'], ...init });

test.each([
  ['ten years', { iat: 0, exp: 10 * 365 * 86_400 }],
  ['two days', { iat: 1_000, exp: 1_000 + 2 * 86_400 }],
  ['from the future', { iat: 5_000, exp: 5_600 }],
  ['without a beginning', { exp: 1_600 }],
])('a genuine token that lives too long or not yet is refused: %s', async (_, times) => {
  const verifier = createTokenVerifier(keys, () => 1_000_000);
  expect(await reasonOf(verifier.verify(await signed({ principal: principalClaim(), ...times })))).toBe(
    'CREDENTIALS_INVALID',
  );
});

test.each([
  { tenant: '' },
  { tenant: '../../x' },
  { tenant: 'a'.repeat(65) },
  { user: '' },
  { groups: Array.from({ length: 257 }, (_, index) => `g${index}`) },
  { groups: [''] },
])('a genuine token whose principal breaks the contract is refused: %j', async (init) => {
  const verifier = createTokenVerifier(keys, () => 1_000_000);
  const token = await signed({ principal: principalClaim(init), iat: 1_000, exp: 1_600 });
  expect(await reasonOf(verifier.verify(token))).toBe('CREDENTIALS_INVALID');
});

test('during a rotation tokens of the old and of the new key are accepted, afterwards those of the new one only', async () => {
  const clock = () => 1_000_000;
  const next = generateKeyPairSync('ed25519');
  const signer = createTokenSigner(privateKey, clock);
  const verifier = createTokenVerifier({ publicKey, acceptedKeys: [next.publicKey] }, clock);
  const old = await signer.sign(testPrincipal());
  signer.use(next.privateKey);
  const fresh = await signer.sign(testPrincipal());
  expect(fresh).not.toBe(old);
  expect(await reasonOf(verifier.verify(old))).toBe('accepted');
  expect(await reasonOf(verifier.verify(fresh))).toBe('accepted');
  verifier.use({ publicKey: next.publicKey, acceptedKeys: [] });
  expect(verifier.known(old)).toBeUndefined();
  expect(await reasonOf(verifier.verify(old))).toBe('CREDENTIALS_INVALID');
  expect(await reasonOf(verifier.verify(fresh))).toBe('accepted');
});

test('a token of an earlier release, without the name of its key, is accepted; one that names another key is not', async () => {
  const verifier = createTokenVerifier(keys, () => 1_000_000);
  const claims = { principal: principalClaim(), iat: 1_000, exp: 1_600 };
  expect(await reasonOf(verifier.verify(await signed(claims)))).toBe('accepted');
  expect(await reasonOf(verifier.verify(await signed(claims, { header: { kid: 'other' } })))).toBe(
    'CREDENTIALS_INVALID',
  );
});

test('the key of a data folder is rotated: the old one is accepted until the next rotation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-identity-'));
  const kidsOf = () => {
    const { publicKey: current, acceptedKeys } = loadIdentityKeys(undefined, folder);
    return [current, ...acceptedKeys].map((key) => toJwk(key).kid);
  };
  const [first] = kidsOf();
  rotateKey(folder);
  const [second, ...accepted] = kidsOf();
  expect(second).not.toBe(first);
  expect(accepted).toEqual([first]);
  rotateKey(folder);
  expect(kidsOf().slice(1)).toEqual([second]);
  expect(statSync(join(folder, 'identity.pem')).mode & 0o077).toBe(0);
  rmSync(folder, { recursive: true });
});

test.each([
  ['identity.private_key', { privateKey: 'secret text' }],
  [
    'identity.private_key',
    { privateKey: generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) },
  ],
  ['identity.public_key', { publicKey: '-----BEGIN PUBLIC KEY-----' }],
  ['identity.accepted_public_keys[0]', { privateKey: newKey(), acceptedPublicKeys: ['x'] }],
])('a text that is no key is refused by the name of its setting, without the text: %s', (path, init) => {
  const load = () => loadIdentityKeys(create(IdentityConfigSchema, init as never), '/nowhere');
  expect(load).toThrow(`${path}: is not`);
  expect(load).not.toThrow('secret text');
});

const groups = fc.array(fc.constantFrom('a', 'b', 'c', '*', ''), { maxLength: 4 });

test('a principal sees a document exactly if they share a group, or if it names none', () => {
  fc.assert(
    fc.property(groups, groups, (own, granted) => {
      const access = { $typeName: 'ragmesh.common.v1.AccessList' as const, groups: granted };
      const expected = granted.length === 0 || granted.some((group) => own.includes(group) && !group.startsWith('*'));
      // A list that names the star itself grants everyone: it is what an empty list means.
      expect(canSee(testPrincipal({ groups: own }), access)).toBe(expected || granted.includes('*'));
      expect(canSee(testPrincipal({ groups: own }), undefined)).toBe(true);
      expect(grantedGroups(access).length).toBeGreaterThan(0);
      expect(visibleGroups(testPrincipal({ groups: own }))[0]).toBe('*');
    }),
  );
});

test('the access key distinguishes principals exactly by what they may see', () => {
  fc.assert(
    fc.property(groups, groups, (left, right) => {
      const [a, b] = [testPrincipal({ groups: left }), testPrincipal({ groups: right, user: 'bob' })];
      expect(accessKey(a) === accessKey(b)).toBe(visibleGroups(a).join('\0') === visibleGroups(b).join('\0'));
      expect(accessKey(a)).not.toBe(accessKey(testPrincipal({ groups: left, tenant: 'other' })));
    }),
  );
});
