import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { administratorRoles } from '../../../services/accounts/testing/accounts.ts';
import { createAuditStandIn } from '../../../services/accounts/testing/audit-stand-in.ts';
import { services } from '../../run.ts';
import type { MeshConnection } from '../connect.ts';
import { endRaise, type LimitFlags, listLimits, raiseLimit, removeLimit, setLimit } from './limits.ts';

let mesh: TestMesh;
let connection: MeshConnection;
let printed = '';
beforeAll(async () => {
  mesh = await startTestMesh([createAuditStandIn().service, ...services.filter(({ name }) => name === 'accounts')]);
  connection = {
    url: '',
    client: <Desc extends DescService>(contract: Desc) => asAdministrator(mesh.client(contract)),
    [Symbol.asyncDispose]: async () => {},
  };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await mesh.close();
});

/** Returns a client whose calls are those of an administrator, as a connection with a key has one. */
function asAdministrator<Desc extends DescService>(client: Client<Desc>): Client<Desc> {
  const options = () => mesh.as(testPrincipal({ roles: administratorRoles }));
  return new Proxy(client, {
    get: (target, name) => async (request: never) => Reflect.get(target, name)(request, await options()),
  });
}

const none: LimitFlags = { 'member-key': [], 'member-user': [], tenant: '', reason: '', json: false };
const stored = async () => (await connection.client(LimitService).listStoredLimits({})).limits;
const list = async () => {
  printed = '';
  await listLimits(connection, none);
  return printed;
};

test('a limit is set, raised, lowered again and removed, and the list shows each', async () => {
  await setLimit(connection, { ...none, 'cost-per-day': '12.50', 'max-concurrent': '3' }, 'model:qwen:7b');
  expect(await list()).toMatch(/model:qwen:7b +cost-per-day 12.5, max-concurrent 3 +- /);
  const more = { ...none, 'cost-per-day': '20', 'expires-days': '0.5', reason: 'sale' };
  await raiseLimit(connection, more, 'model:qwen:7b');
  expect(await list()).toMatch(/max-concurrent 3 +cost-per-day 20 +\d{4}-/);
  await endRaise(connection, none, 'model:qwen:7b');
  expect(await list()).toMatch(/max-concurrent 3 +- +- /);
  await removeLimit(connection, none, 'model:qwen:7b');
  expect(await stored()).toEqual([]);
});

test('the members of a cost centre stay when its amounts change', async () => {
  const name = 'cost_centre:shop';
  await setLimit(connection, { ...none, 'tokens-per-minute': '100', 'member-user': ['ann'] }, name);
  await setLimit(connection, { ...none, 'tokens-per-minute': '200' }, name);
  expect(await stored()).toMatchObject([{ users: ['ann'], keys: [], limit: { tokensPerMinute: 200n } }]);
  await setLimit(connection, { ...none, 'tokens-per-minute': '200', 'member-key': ['k1'] }, name);
  expect(await stored()).toMatchObject([{ users: [], keys: ['k1'] }]);
});

test('what names no limit, has no amount or no end is refused before a call', async () => {
  const amount = { ...none, 'cost-per-day': '1' };
  for (const name of ['user', 'user:', 'tenant:acme', 'team:a', ''])
    await expect(setLimit(connection, amount, name)).rejects.toThrow('names no limit');
  await expect(setLimit(connection, none, 'user:ann')).rejects.toThrow('an amount is missing');
  for (const text of ['1e3', '-1', '1.1234567', ''])
    await expect(setLimit(connection, { ...none, 'cost-per-day': text }, 'user:ann')).rejects.toThrow('--cost-per-day');
  await expect(raiseLimit(connection, amount, 'user:ann')).rejects.toThrow('--expires-days');
});
