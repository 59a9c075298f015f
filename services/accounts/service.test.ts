import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { beforeEach, describe, expect, test } from 'vitest';
import { ApiKeyKind, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { accounts } from './index.ts';
import { administratorRoles, keyRequest } from './testing/accounts.ts';
import { createAuditStandIn } from './testing/audit-stand-in.ts';

const now = Date.UTC(2026, 11, 1);
const hourMs = 3_600_000;
const administrator = testPrincipal({ roles: administratorRoles, groups: ['staff'] });
const platform = testPrincipal({
  tenant: 'ops',
  user: 'root',
  roles: [...administratorRoles, Role.PLATFORM_ADMINISTRATOR],
});
const recorder = createAuditStandIn();
beforeEach(() => recorder.reset());
const start = (clock = () => now, dataDir?: string) =>
  startTestMesh([recorder.service, accounts], { clock, ...(dataDir && { dataDir }) });
const keysOf = (mesh: TestMesh) => mesh.client(ApiKeyService);
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  return [error?.code, errorInfoOf(error)?.reason];
};
const changesOf = (tenant: string) => recorder.changes.filter((change) => change.tenant === tenant);
const synced = async (mesh: TestMesh, afterRevision = 0n) =>
  mesh.client(CredentialService).syncCredentials({ afterRevision }, await mesh.as());

describe('keys', () => {
  test('a key is made, listed without its secret, rotated with an overlap and revoked; each is an entry of the audit', async () => {
    let time = now;
    await using mesh = await start(() => time);
    const options = await mesh.as(administrator);
    const { key, secret } = await keysOf(mesh).createApiKey(keyRequest({ groups: ['staff'] }), options);
    expect(secret).toMatch(/^rmk_[\w-]{43}$/);
    expect(key).toMatchObject({ tenant: 'acme', user: 'service/shop', groups: ['staff'], createdBy: 'acme/ann' });
    const id = key?.id ?? '';
    time += 1000;
    const rotated = await keysOf(mesh).rotateApiKey({ id, overlapSeconds: 60 }, options);
    expect(rotated.secret).not.toBe(secret);
    expect(rotated.key?.secrets).toMatchObject([
      { createdAt: timestampFromMs(now + 1000) },
      { createdAt: timestampFromMs(now), expiresAt: timestampFromMs(now + 61_000) },
    ]);
    const { keys } = await keysOf(mesh).listApiKeys({}, options);
    expect(keys).toMatchObject([{ id, name: 'shop' }]);
    expect(JSON.stringify(keys, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
      secret,
    );
    expect((await synced(mesh)).credentials).toMatchObject([{ key: { id }, secrets: [{}, {}] }]);
    const { revision } = await synced(mesh);
    await keysOf(mesh).revokeApiKey({ id }, options);
    expect((await synced(mesh, revision)).credentials).toMatchObject([{ key: { id }, secrets: [] }]);
    expect(await failure(keysOf(mesh).rotateApiKey({ id }, options))).toEqual([Code.FailedPrecondition, 'KEY_ENDED']);
    const changes = changesOf('acme');
    expect(changes.map(({ action }) => action)).toEqual([
      ChangeAction.API_KEY_CREATED,
      ChangeAction.API_KEY_ROTATED,
      ChangeAction.API_KEY_REVOKED,
    ]);
    expect(changes.every(({ user }) => user === 'ann')).toBe(true);
    for (const { detail } of changes) expect(detail).not.toContain(secret);
  });

  test('each role may do its part only', async () => {
    await using mesh = await start();
    const others = administratorRoles.filter((role) => role !== Role.ADMINISTRATOR);
    for (const role of others) {
      const options = await mesh.as(testPrincipal({ roles: [role] }));
      expect(await failure(keysOf(mesh).createApiKey(keyRequest(), options))).toEqual([
        Code.PermissionDenied,
        'ROLE_MISSING',
      ]);
      expect(await failure(keysOf(mesh).listApiKeys({}, options))).toEqual([Code.PermissionDenied, 'ROLE_MISSING']);
    }
    const options = await mesh.as(administrator);
    const tenants = mesh.client(TenantService);
    expect(await failure(tenants.putTenant({ tenant: 'bolt' }, options))).toEqual([
      Code.PermissionDenied,
      'ROLE_MISSING',
    ]);
    const credentials = mesh.client(CredentialService);
    expect(await failure(credentials.syncCredentials({}, options))).toEqual([Code.PermissionDenied, 'ROLE_MISSING']);
  });

  test('what the creator lacks is refused, and what no key may have', async () => {
    await using mesh = await start();
    const denied = async (caller: Principal, init: Parameters<typeof keyRequest>[0]) =>
      failure(keysOf(mesh).createApiKey(keyRequest(init), await mesh.as(caller)));
    const few = testPrincipal({ roles: [Role.ADMINISTRATOR, Role.READER], groups: ['staff'] });
    expect(await denied(few, { roles: [Role.EDITOR] })).toEqual([Code.PermissionDenied, 'GRANT_EXCEEDED']);
    expect(await denied(few, { groups: ['hr'] })).toEqual([Code.PermissionDenied, 'GRANT_EXCEEDED']);
    expect(await denied(few, { tenant: 'bolt' })).toEqual([Code.PermissionDenied, 'TENANT_MISMATCH']);
    expect(await denied(platform, { roles: [Role.SERVICE] })).toEqual([Code.InvalidArgument, 'FIELD_INVALID']);
    const invalid: Parameters<typeof keyRequest>[0][] = [
      { kind: ApiKeyKind.USER },
      { kind: ApiKeyKind.USER, user: 'service/shop' },
      { user: 'bob' },
      { models: ['gpt'] },
      { roles: [Role.READER, Role.OPERATOR], corpora: ['help'] },
      { addresses: ['10.0.0.0/40'] },
      { groups: ['*'] },
      { expiresAt: timestampFromMs(now - 1) },
    ];
    for (const init of invalid)
      expect(await denied(administrator, init)).toEqual([Code.InvalidArgument, 'FIELD_INVALID']);
    expect((await keysOf(mesh).listApiKeys({}, await mesh.as(administrator))).keys).toEqual([]);
  });

  test('a secret never reaches a caller by a rotation who lacks the rights of its key', async () => {
    await using mesh = await start();
    const { key } = await keysOf(mesh).createApiKey(keyRequest({ groups: ['staff'] }), await mesh.as(administrator));
    const rotate = async (caller: Principal) =>
      failure(keysOf(mesh).rotateApiKey({ id: key?.id ?? '', tenant: 'acme' }, await mesh.as(caller)));
    const groupless = testPrincipal({ roles: administratorRoles });
    expect(await rotate(groupless)).toEqual([Code.PermissionDenied, 'GRANT_EXCEEDED']);
    expect(await rotate(testPrincipal({ roles: [Role.ADMINISTRATOR], groups: ['staff'] }))).toEqual([
      Code.PermissionDenied,
      'GRANT_EXCEEDED',
    ]);
    expect(await rotate(platform)).toEqual([Code.PermissionDenied, 'TENANT_MISMATCH']);
  });

  test('keys of other tenants are absent, and lists have pages', async () => {
    let time = now;
    await using mesh = await start(() => time++);
    const options = await mesh.as(administrator);
    const other = await mesh.as(testPrincipal({ tenant: 'bolt', roles: administratorRoles }));
    const made = await Promise.all(Array.from({ length: 7 }, () => keysOf(mesh).createApiKey(keyRequest(), options)));
    const id = made[0]?.key?.id ?? '';
    expect((await keysOf(mesh).listApiKeys({}, other)).keys).toEqual([]);
    expect(await failure(keysOf(mesh).revokeApiKey({ id }, other))).toEqual([Code.NotFound, 'RESOURCE_NOT_FOUND']);
    expect(await failure(keysOf(mesh).rotateApiKey({ id }, other))).toEqual([Code.NotFound, 'RESOURCE_NOT_FOUND']);
    const ids: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await keysOf(mesh).listApiKeys({ pageSize: 3, pageToken }, options);
      ids.push(...page.keys.map((key) => key.id));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(ids.toSorted()).toEqual(made.map(({ key }) => key?.id).toSorted());
    expect(await failure(keysOf(mesh).listApiKeys({ pageToken: 'x' }, options))).toEqual([
      Code.InvalidArgument,
      'FIELD_INVALID',
    ]);
  });

  test('a key that was acknowledged is there after a restart', async () => {
    const mesh = await start();
    const { key } = await keysOf(mesh).createApiKey(keyRequest(), await mesh.as(administrator));
    await mesh.close(true);
    await using again = await start(() => now, mesh.dataDir);
    expect((await synced(again)).credentials).toMatchObject([{ key: { id: key?.id }, secrets: [{}] }]);
  });

  test('an edge that knows more than the database begins again', async () => {
    await using mesh = await start();
    await keysOf(mesh).createApiKey(keyRequest(), await mesh.as(administrator));
    expect(await synced(mesh, 99n)).toMatchObject({ isReset: true, revision: 1n, credentials: [{}] });
  });
});

describe('break-glass access', () => {
  const request = { tenant: 'bolt', reason: 'incident 7', groups: ['hr'], expiresAt: timestampFromMs(now + hourMs) };

  test('needs a reason and an end, and is in the audit of the tenant with each report of its use', async () => {
    await using mesh = await start();
    const options = await mesh.as(platform);
    const create = (init: object) => keysOf(mesh).createApiKey(keyRequest({ ...request, ...init }), options);
    for (const init of [{ reason: '' }, { expiresAt: undefined }, { expiresAt: timestampFromMs(now + 25 * hourMs) }]) {
      expect(await failure(create(init))).toEqual([Code.InvalidArgument, 'FIELD_INVALID']);
    }
    expect(await failure(create({ roles: [Role.PLATFORM_ADMINISTRATOR] }))).toEqual([
      Code.PermissionDenied,
      'GRANT_EXCEEDED',
    ]);
    const { key } = await create({});
    expect(key).toMatchObject({ tenant: 'bolt', breakGlassReason: 'incident 7', createdBy: 'ops/root' });
    const sha256 = (await synced(mesh)).credentials[0]?.secrets[0]?.sha256 ?? '';
    const uses = [{ sha256, useCount: 3n, lastUsedAt: timestampFromMs(now), lastAddress: '192.0.2.1' }];
    const edge = await mesh.as(testPrincipal({ tenant: 'bolt', user: 'edge', roles: [Role.SERVICE] }));
    await mesh.client(CredentialService).reportKeyUses({ uses }, edge);
    expect(changesOf('bolt')).toMatchObject([
      { action: ChangeAction.BREAK_GLASS_OPENED, user: 'ops/root' },
      { action: ChangeAction.BREAK_GLASS_USED, detail: expect.stringContaining('"requests":3') },
    ]);
    // The tenant's own administrators see and end it, and do not get its secret.
    const own = await mesh.as(testPrincipal({ tenant: 'bolt', roles: administratorRoles, groups: ['hr'] }));
    const id = key?.id ?? '';
    expect((await keysOf(mesh).listApiKeys({}, own)).keys).toMatchObject([{ id, secrets: [{ useCount: 3n }] }]);
    expect(await failure(keysOf(mesh).rotateApiKey({ id }, own))).toEqual([Code.PermissionDenied, 'GRANT_EXCEEDED']);
    expect((await keysOf(mesh).revokeApiKey({ id }, own)).key?.revokedAt).toBeDefined();
  });
});

test('a tenant is stored, changed, listed and audited', async () => {
  await using mesh = await start();
  const options = await mesh.as(platform);
  const tenants = mesh.client(TenantService);
  await tenants.putTenant({ tenant: 'bolt', displayName: 'Bolt' }, options);
  await tenants.putTenant({ tenant: 'bolt', displayName: 'Bolt Ltd', isDisabled: true }, options);
  await tenants.putTenant({ tenant: 'cook' }, options);
  const first = await tenants.listTenants({ pageSize: 1 }, options);
  expect(first.tenants).toMatchObject([{ tenant: 'bolt', displayName: 'Bolt Ltd', isDisabled: true }]);
  const second = await tenants.listTenants({ pageToken: first.nextPageToken }, options);
  expect(second).toMatchObject({ tenants: [{ tenant: 'cook' }], nextPageToken: '' });
  expect(changesOf('bolt')).toHaveLength(2);
  expect((await synced(mesh)).tenants).toMatchObject([{ tenant: 'bolt', isDisabled: true }, { tenant: 'cook' }]);
});

test('without the audit no key is made, and a key still ends', async () => {
  await using mesh = await start();
  const options = await mesh.as(administrator);
  const { key } = await keysOf(mesh).createApiKey(keyRequest(), options);
  recorder.isAway = true;
  expect((await failure(keysOf(mesh).createApiKey(keyRequest(), options)))[0]).toBe(Code.Unavailable);
  expect((await keysOf(mesh).listApiKeys({}, options)).keys).toHaveLength(1);
  await keysOf(mesh).revokeApiKey({ id: key?.id ?? '' }, options);
  expect((await synced(mesh)).credentials).toMatchObject([{ secrets: [] }]);
});
