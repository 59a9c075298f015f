import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { AccountErasureService } from '#gen/ragmesh/accounts/v1/account_erasure_pb.ts';
import { ApiKeyKind, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { accounts } from '../index.ts';
import { administratorRoles, keyRequest } from '../testing/accounts.ts';
import { createAuditStandIn } from '../testing/audit-stand-in.ts';

test('an erased user has no key and no name, keys made for others stay valid, and a second time nothing is found', async () => {
  const recorder = createAuditStandIn();
  await using mesh = await startTestMesh([recorder.service, accounts]);
  const keys = mesh.client(ApiKeyService);
  const erasure = mesh.client(AccountErasureService);
  const as = (user: string, tenant = 'acme') => mesh.as(testPrincipal({ tenant, user, roles: administratorRoles }));
  const [ann, boss, stranger] = await Promise.all([as('ann'), as('boss'), as('ann', 'bolt')]);
  const own = { kind: ApiKeyKind.USER, user: 'ann', name: 'ann-laptop', addresses: ['192.0.2.7'] };
  const made = await keys.createApiKey(keyRequest(own), boss);
  const shop = await keys.createApiKey(keyRequest({ name: 'shop' }), ann);
  const other = await keys.createApiKey(keyRequest({ ...own, name: 'bobs', user: 'bob' }), boss);
  const limits = mesh.client(LimitService);
  const limit = { costMicrosPerDay: 5n };
  await limits.putLimit({ target: { layer: 'user', name: 'ann' }, limit }, boss);
  await limits.putLimit({ target: { layer: 'user', name: 'bob' }, limit }, boss);
  await limits.putLimit({ target: { layer: 'cost_centre', name: 'care' }, limit, users: ['ann', 'bob'] }, boss);
  await limits.putLimit({ target: { layer: 'user', name: 'ann' }, limit }, stranger);
  const foreign = await keys.createApiKey(keyRequest(own), stranger);

  const lines = (await collect(erasure.exportAccountUser({ user: 'ann' }, boss))).map(({ json }) => JSON.parse(json));
  expect(lines.toSorted((a, b) => a.kind.localeCompare(b.kind))).toMatchObject([
    { kind: 'limit', limit: { target: { layer: 'cost_centre', name: 'care' } } },
    { kind: 'limit', limit: { target: { layer: 'user', name: 'ann' }, limit: { costMicrosPerDay: '5' } } },
    { kind: 'made_key', key: { id: shop.key?.id, createdBy: 'acme/ann' } },
    { kind: 'own_key', key: { id: made.key?.id, user: 'ann', secrets: [{ fingerprint: expect.any(String) }] } },
  ]);
  expect(await erasure.eraseAccountUser({ user: 'ann' }, boss)).toMatchObject({
    ownKeyCount: 1n,
    madeKeyCount: 1n,
    limitCount: 2n,
  });
  expect(await erasure.eraseAccountUser({ user: 'ann' }, boss)).toMatchObject({
    ownKeyCount: 0n,
    madeKeyCount: 0n,
    limitCount: 0n,
  });
  expect(await collect(erasure.exportAccountUser({ user: 'ann' }, boss))).toEqual([]);

  const { credentials } = await mesh.client(CredentialService).syncCredentials({}, await mesh.as());
  const secretCount = (id = '') => credentials.find(({ key }) => key?.id === id)?.secrets.length;
  expect([made, shop, other, foreign].map(({ key }) => secretCount(key?.id))).toEqual([0, 1, 1, 1]);
  const { keys: left } = await keys.listApiKeys({}, boss);
  expect(left.filter(({ user, createdBy }) => user === 'ann' || createdBy === 'acme/ann')).toEqual([]);
  const ended = left.find(({ id }) => id === made.key?.id);
  expect(ended).toMatchObject({ user: 'erased-user', name: 'erased-user', addresses: [], secrets: [] });
  expect(ended?.revokedAt).toBeDefined();
  expect((await keys.listApiKeys({}, stranger)).keys).toMatchObject([{ user: 'ann', createdBy: 'bolt/ann' }]);

  const stored = async (options: typeof boss) => (await limits.listStoredLimits({}, options)).limits;
  expect(await stored(boss)).toMatchObject([{ users: ['bob'] }, { target: { name: 'bob' } }]);
  expect(await stored(stranger)).toMatchObject([{ target: { name: 'ann' } }]);

  expect(recorder.changes.at(-1)).toMatchObject({ user: 'boss', action: ChangeAction.API_KEY_REVOKED });
  for (const { detail } of recorder.changes) expect(detail).not.toMatch(/ann|192/);
});

test('erasing needs an operator and exporting an auditor', async () => {
  const recorder = createAuditStandIn();
  await using mesh = await startTestMesh([recorder.service, accounts]);
  const erasure = mesh.client(AccountErasureService);
  const options = await mesh.as(testPrincipal({ roles: [Role.ADMINISTRATOR, Role.EDITOR] }));
  const works = [
    () => erasure.eraseAccountUser({ user: 'a' }, options),
    () => collect(erasure.exportAccountUser({ user: 'a' }, options)),
  ];
  for (const work of works) {
    expect(await work().catch((error: unknown) => ConnectError.from(error).code)).toBe(Code.PermissionDenied);
  }
});
