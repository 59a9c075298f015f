import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { hashKey } from '../credentials/api-keys.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
beforeAll(async () => {
  edge = await startEdgeMesh();
});
afterAll(() => edge.mesh.close());

const ask = (key: string | undefined) =>
  createClient(CallerService, createConnectTransport({ baseUrl: edge.url, httpVersion: '1.1' })).getCaller(
    {},
    { headers: { ...(key !== undefined && { authorization: `Bearer ${key}` }) } },
  );

test('a caller learns its tenant, user and roles', async () => {
  const staff = await ask(edge.edge.devKeys?.dev);
  expect(staff.caller).toMatchObject({ tenant: 'demo', user: 'dev', groups: ['staff', 'merchant'] });
  expect(staff.caller?.roles).toContain(Role.OPERATOR);
  const customer = await ask(edge.edge.devKeys?.customer);
  expect(customer.caller).toMatchObject({ tenant: 'demo', user: 'customer', roles: [Role.READER] });
});

test('a key that is limited to corpora learns who it is, and to what it is limited', async () => {
  const key = { id: 'shop', sha256: hashKey('shop-key'), tenant: 'acme', corpora: ['help'] };
  await using limited = await startEdgeMesh({ config: { edge: { apiKeys: [key] } } as never });
  const transport = createConnectTransport({ baseUrl: limited.url, httpVersion: '1.1' });
  const headers = { authorization: 'Bearer shop-key' };
  const { caller } = await createClient(CallerService, transport).getCaller({}, { headers });
  expect(caller).toMatchObject({ tenant: 'acme', user: 'shop', roles: [Role.READER], corpora: ['help'] });
});

test('without credentials there is no caller', async () => {
  expect(await ask(undefined).catch(ConnectError.from)).toMatchObject({ code: Code.Unauthenticated });
});

test('who may read traces learns their page, and no one else does', async () => {
  const traceUrl = 'https://traces.example.com/{trace_id}';
  await using traced = await startEdgeMesh({ config: { edge: { traceUrl } } });
  const of = async (key: string | undefined) => {
    const transport = createConnectTransport({ baseUrl: traced.url, httpVersion: '1.1' });
    return createClient(CallerService, transport).getCaller({}, { headers: { authorization: `Bearer ${key}` } });
  };
  expect((await of(traced.edge.devKeys?.dev)).traceUrl).toBe(traceUrl);
  expect((await of(traced.edge.devKeys?.customer)).traceUrl).toBe('');
});
