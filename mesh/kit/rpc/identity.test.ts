import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { decodeJwt, jwtVerify, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { errorInfoOf } from '../base/errors.ts';
import { testPrincipal } from '../testing/mesh.ts';
import { accessKey, canSee, grantedGroups, visibleGroups } from './access.ts';
import { createTokenSigner, createTokenVerifier, loadIdentityKeys } from './identity.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => 'accepted',
    (error) => errorInfoOf(error)?.reason,
  );

test('a token brings its principal across, and is refused once it has expired', async () => {
  let now = 1_000_000;
  const signer = createTokenSigner(privateKey, () => now, 60_000);
  const verifier = createTokenVerifier(publicKey, () => now);
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
  expect(await reasonOf(createTokenVerifier(publicKey, () => now).verify(token))).toBe('CREDENTIALS_INVALID');
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
  const verifier = createTokenVerifier(publicKey, clock);
  const other = createTokenSigner(generateKeyPairSync('ed25519').privateKey, clock);
  expect(await reasonOf(verifier.verify(await other.sign(testPrincipal())))).toBe('CREDENTIALS_INVALID');
  const claim = toJson(PrincipalSchema, testPrincipal());
  const forged = new SignJWT({ principal: claim }).setProtectedHeader({ alg: 'EdDSA' }).setIssuer('ragmesh');
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
