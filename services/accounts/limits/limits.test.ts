import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { LimitSyncService } from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { accounts } from '../index.ts';
import { administratorRoles } from '../testing/accounts.ts';
import { createAuditStandIn } from '../testing/audit-stand-in.ts';

const now = Date.UTC(2026, 11, 1);
const dayMs = 86_400_000;
const ann = { layer: 'user', name: 'ann' };
const limit = { costMicrosPerDay: 1_000_000n };
const recorder = createAuditStandIn();
const start = async () => {
  recorder.reset();
  const mesh = await startTestMesh([recorder.service, accounts], { clock: () => now });
  const limits = mesh.client(LimitService);
  const as = (roles: Role[], tenant = 'acme') => mesh.as(testPrincipal({ tenant, user: 'boss', roles }));
  const service = await mesh.as();
  const synced = async (afterRevision = 0n) => mesh.client(LimitSyncService).syncLimits({ afterRevision }, service);
  return { mesh, limits, as, synced, [Symbol.asyncDispose]: () => mesh.close() };
};
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  return [error?.code, errorInfoOf(error)?.reason];
};

test('a limit is stored, raised, lowered again and removed; each is an entry of the audit, and gateways learn of each', async () => {
  await using one = await start();
  const { limits, synced } = one;
  const options = await one.as(administratorRoles);
  const put = await limits.putLimit({ target: ann, limit, expectedEtag: '0' }, options);
  const until = timestampFromMs(now + dayMs);
  const more = { costMicrosPerDay: 5_000_000n };
  const raise = { target: ann, limit: more, until, reason: 'sale', expectedEtag: put.stored?.etag ?? '' };
  await limits.raiseLimit(raise, options);
  const first = await synced();
  expect(first.tenants).toMatchObject([{ tenant: 'acme', limits: [{ limit, raise: { limit: more, until } }] }]);
  expect((await synced(first.revision)).tenants).toEqual([]);
  await limits.endRaise({ target: ann }, options);
  expect((await synced(first.revision)).tenants[0]?.limits).toMatchObject([{ limit }]);
  await limits.removeLimit({ target: ann }, options);
  expect((await synced(first.revision)).tenants).toMatchObject([{ tenant: 'acme', limits: [] }]);
  expect((await synced(99n)).isReset).toBe(true);
  expect((await limits.listStoredLimits({}, options)).limits).toEqual([]);
  expect(recorder.changes.map(({ action, user }) => [action, user])).toEqual([
    [ChangeAction.LIMIT_PUT, 'boss'],
    [ChangeAction.LIMIT_RAISED, 'boss'],
    [ChangeAction.RAISE_ENDED, 'boss'],
    [ChangeAction.LIMIT_REMOVED, 'boss'],
  ]);
  for (const { detail } of recorder.changes) expect(detail).not.toContain('ann');
});

test('of several who change what they have read, one succeeds, and the others are ABORTED and change nothing', async () => {
  await using one = await start();
  const { limits } = one;
  const options = await one.as(administratorRoles);
  const late = [Code.Aborted, 'CHANGED_MEANWHILE'];
  for (const expectedEtag of ['0', (await limits.putLimit({ target: ann, limit }, options)).stored?.etag ?? '']) {
    await limits.removeLimit({ target: ann }, options).catch(() => {});
    const read =
      expectedEtag === '0' ? '0' : ((await limits.putLimit({ target: ann, limit }, options)).stored?.etag ?? '');
    const changes = [1n, 2n, 3n, 4n].map((costMicrosPerDay) =>
      limits.putLimit({ target: ann, limit: { costMicrosPerDay }, expectedEtag: read }, options),
    );
    const results = await Promise.allSettled(changes);
    const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.stored?.limit] : []));
    expect(done).toHaveLength(1);
    for (const change of changes)
      if ((await failure(change))[0] !== undefined) expect(await failure(change)).toEqual(late);
    expect((await limits.listStoredLimits({}, options)).limits[0]?.limit).toEqual(done[0]);
  }
  const stale = { target: ann, expectedEtag: '1' };
  expect(await failure(limits.endRaise(stale, options))).toEqual(late);
  expect(await failure(limits.removeLimit(stale, options))).toEqual(late);
});

test('the limit of a tenant is for platform administrators, other tenants too; no other role may change limits', async () => {
  await using one = await start();
  const { limits } = one;
  const [own, platform] = [
    await one.as(administratorRoles),
    await one.as([...administratorRoles, Role.PLATFORM_ADMINISTRATOR]),
  ];
  const tenant = { target: { layer: 'tenant' }, limit };
  const other = { target: { tenant: 'bolt', ...ann }, limit };
  expect(await failure(limits.putLimit(tenant, own))).toEqual([Code.PermissionDenied, 'ROLE_MISSING']);
  expect(await failure(limits.putLimit(other, own))).toEqual([Code.PermissionDenied, 'TENANT_MISMATCH']);
  expect(await failure(limits.listStoredLimits({ tenant: 'bolt' }, own))).toEqual([
    Code.PermissionDenied,
    'TENANT_MISMATCH',
  ]);
  await limits.putLimit(tenant, platform);
  await limits.putLimit(other, platform);
  expect((await limits.listStoredLimits({}, own)).limits).toMatchObject([{ target: { layer: 'tenant', name: '' } }]);
  expect(recorder.changes.map((change) => change.tenant)).toEqual(['acme', 'bolt']);
  for (const role of administratorRoles.filter((each) => each !== Role.ADMINISTRATOR)) {
    const options = await one.as([role]);
    expect(await failure(limits.putLimit({ target: ann, limit }, options))).toEqual([
      Code.PermissionDenied,
      'ROLE_MISSING',
    ]);
  }
});

test('what makes no sense is refused, and without the audit nothing is changed', async () => {
  await using one = await start();
  const { limits } = one;
  const options = await one.as(administratorRoles);
  const until = (ms: number) => timestampFromMs(now + ms);
  const odd = [
    () => limits.putLimit({ target: ann, limit: {} }, options),
    () => limits.putLimit({ target: { layer: 'user' }, limit }, options),
    () => limits.putLimit({ target: ann, limit, users: ['bob'] }, options),
    () => limits.putLimit({ target: { layer: 'shop', name: 'x' }, limit }, options),
    () => limits.raiseLimit({ target: ann, limit, until: until(0), reason: 'x' }, options),
    () => limits.raiseLimit({ target: ann, limit, until: until(367 * dayMs), reason: 'x' }, options),
    () => limits.raiseLimit({ target: ann, limit, until: until(dayMs) }, options),
  ];
  for (const work of odd) expect((await failure(work()))[0]).toBe(Code.InvalidArgument);
  expect((await failure(limits.removeLimit({ target: ann }, options)))[0]).toBe(Code.NotFound);
  recorder.isAway = true;
  expect((await failure(limits.putLimit({ target: ann, limit }, options)))[0]).toBe(Code.Unavailable);
  recorder.isAway = false;
  expect((await limits.listStoredLimits({}, options)).limits).toEqual([]);
});
