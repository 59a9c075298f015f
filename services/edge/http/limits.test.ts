import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterEach, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
let now: number;
afterEach(() => edge.mesh.close());

const start = (limits: object) => {
  now = Date.UTC(2026, 0, 1);
  return startEdgeMesh({ clock: () => now, config: { edge: limits } as never }).then((started) => {
    edge = started;
  });
};
const models = (key?: string) => fetch(`${edge.url}/v1/models`, { headers: { 'x-api-key': key ?? '' } });

test('a user who asks too often gets the time to retry, on every face', async () => {
  await start({ userRequestsPerSecond: 1, userBurst: 2 });
  const keys = edge.edge.devKeys;
  expect((await models(keys?.dev)).status).toBe(200);
  expect((await models(keys?.dev)).status).toBe(200);
  const refused = await models(keys?.dev);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refused.json()).toMatchObject({ error: { code: 'rate_limit_exceeded' } });

  const sse = await fetch(`${edge.url}/v1/chat/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: '{"query":"x"}',
  });
  expect([sse.status, sse.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await sse.json()).toMatchObject({ reason: 'RATE_LIMITED', metadata: { scope: 'user' } });

  const client = createClient(ChatService, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
  const error = (await client
    .getSession({ sessionId: 's' }, { headers: edge.authorization })
    .catch(ConnectError.from)) as ConnectError;
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(errorInfoOf(error)).toMatchObject({ reason: 'RATE_LIMITED', metadata: { scope: 'user' } });
  expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(1n);
  expect(error.metadata.get('retry-after')).toBe('1');

  expect((await models(keys?.customer)).status).toBe(200);
  now += 1000;
  expect((await models(keys?.dev)).status).toBe(200);
  expect((await models(keys?.dev)).status).toBe(429);
});

test('a tenant has a limit for all of its users together', async () => {
  await start({ tenantRequestsPerSecond: 1, tenantBurst: 2 });
  const keys = edge.edge.devKeys;
  expect((await models(keys?.dev)).status).toBe(200);
  expect((await models(keys?.customer)).status).toBe(200);
  const refused = await models(keys?.dev);
  expect(refused.status).toBe(429);
  expect((await refused.json()).error.message).toMatch(/^the tenant asks too often/);
});

test('those without credentials use up nothing', async () => {
  await start({ userRequestsPerSecond: 1, userBurst: 1 });
  for (let count = 0; count < 5; count++) expect((await models('nobody')).status).toBe(401);
  expect((await models(edge.edge.devKeys?.dev)).status).toBe(200);
});
