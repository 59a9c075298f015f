import { Writable } from 'node:stream';
import { Code } from '@connectrpc/connect';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { type EdgeMesh, type EdgeMeshOptions, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh | undefined;
let lines: Record<string, unknown>[] = [];
afterEach(async () => {
  await edge?.[Symbol.asyncDispose]();
  edge = undefined;
});

async function start(options: EdgeMeshOptions = {}): Promise<EdgeMesh> {
  lines = [];
  const sink = new Writable({
    write(chunk, _, done) {
      const line = JSON.parse(String(chunk));
      if (line.event === 'request') lines.push(line);
      done();
    },
  });
  edge = await startEdgeMesh({ ...options, log: pino({ level: 'info' }, sink) as Logger });
  return edge;
}

const ask = ({ url, authorization }: EdgeMesh, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/chat/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization, ...headers },
    body: JSON.stringify({ query: 'returns?' }),
  });
const rpc = ({ url }: EdgeMesh, method: string, headers: Record<string, string>) =>
  fetch(`${url}/ragmesh.chat.v1.ChatService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ sessionId: 's1' }),
  });

test('each request has a line with its caller, result, time, bytes and ids, which the response has too', async () => {
  const mesh = await start();
  const response = await ask(mesh, { 'x-request-id': 'mine-1' });
  const body = await response.text();
  await expect.poll(() => lines.length).toBe(1);
  expect(lines[0]).toMatchObject({
    method: 'POST',
    route: '/v1/chat/stream',
    status: 200,
    tenant: 'demo',
    key_id: 'dev',
    request_id: 'mine-1',
    bytes: Buffer.byteLength(body),
    ms: expect.any(Number),
  });
  expect(response.headers.get('x-request-id')).toBe('mine-1');
  expect(response.headers.get('x-trace-id')).toBe(lines[0]?.trace_id);

  const found = await rpc(mesh, 'GetSession', mesh.authorization);
  await found.text();
  const refused = await rpc(mesh, 'GetSession', {});
  await refused.text();
  await (await fetch(`${mesh.url}/nothing`)).text();
  await expect.poll(() => lines.length).toBe(4);
  const route = '/ragmesh.chat.v1.ChatService/GetSession';
  expect(lines.slice(1)).toMatchObject([
    { route, status: 200, code: 'ok', tenant: 'demo' },
    { route, status: 401, code: 'unauthenticated', reason: 'CREDENTIALS_MISSING' },
    { route: 'other', status: 404 },
  ]);
  expect(lines[2]).not.toHaveProperty('tenant');
  expect(found.headers.get('x-request-id')).toBe(lines[1]?.request_id);
});

test('a stream that fails after its status has the code of its error', async () => {
  const mesh = await start({
    async *answer() {
      yield { case: 'textDelta', value: { text: 'a' } };
      throw new Error('a fault');
    },
    config: { edge: { accessLogRatio: 0 } },
  });
  const message = Buffer.from(JSON.stringify({ question: 'returns?' }));
  const envelope = Buffer.concat([Buffer.alloc(5), message]);
  envelope.writeUInt32BE(message.length, 1);
  const response = await fetch(`${mesh.url}/ragmesh.chat.v1.ChatService/Ask`, {
    method: 'POST',
    headers: { 'content-type': 'application/connect+json', ...mesh.authorization },
    body: envelope,
  });
  await response.text();
  await expect.poll(() => lines).toMatchObject([{ status: 200, code: 'internal' }]);
});

test('requests are counted by their status, and by the code of a call that failed inside a stream', async () => {
  const mesh = await start({
    async *answer() {
      yield { case: 'textDelta', value: { text: 'a' } };
      throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'away');
    },
  });
  await (await ask(mesh)).text();
  await (await rpc(mesh, 'GetSession', mesh.authorization)).text();
  await (await rpc(mesh, 'GetSession', {})).text();
  const counts = async () => {
    const text = await mesh.mesh.host.metrics.registry.getSingleMetricAsString('ragmesh_edge_requests_total');
    return text
      .split('\n')
      .slice(2)
      .map((line) => line.replace('ragmesh_edge_requests_total', ''));
  };
  await expect
    .poll(counts)
    .toEqual([
      '{route="/v1/chat/stream",status="200",code="Unavailable"} 1',
      expect.stringMatching(/^\{route="[^"]*",status="200",code="OK"\} 1$/),
      expect.stringMatching(/^\{route="[^"]*",status="401",code="Unauthenticated"\} 1$/),
    ]);
});

test('requests outside the sample have no line, and probes never have one', async () => {
  const mesh = await start({ config: { edge: { accessLogRatio: 0 } } });
  await (await ask(mesh)).text();
  await (await rpc(mesh, 'GetSession', {})).text();
  expect(lines).toEqual([]);
  await edge?.[Symbol.asyncDispose]();
  const open = await start();
  await (await fetch(`${open.url}/healthz`)).text();
  await (await fetch(`${open.url}/nothing`)).text();
  await expect.poll(() => lines).toMatchObject([{ route: 'other' }]);
});

test('plain JSON to a streaming rpc is refused with a line that says what it takes', async () => {
  const mesh = await start();
  const response = await rpc(mesh, 'Ask', mesh.authorization);
  expect(response.status).toBe(415);
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toMatch(/^Ask takes the content types application\/connect\+json .*\n$/);
});

test.each(['/v1/models/', '/v1//models', '//v1/models', '/v1/v1/models'])('%s is the path /v1/models', async (path) => {
  const mesh = await start();
  const response = await fetch(`${mesh.url}${path}`, { headers: mesh.authorization });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ object: 'list' });
});

test.each(['/models', '/chat/completions', '/openai/deployments/a/chat/completions'])(
  '%s is refused in the form of OpenAI, with the base URL to use',
  async (path) => {
    const mesh = await start();
    const response = await fetch(`${mesh.url}${path}`, { headers: mesh.authorization });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining('/v1') } });
  },
);
