import { once } from 'node:events';
import { connect } from 'node:http2';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';
import { parseMcpId, toMcpId, toResourceUri } from './document-id.ts';

const secret = 's'.repeat(32);
const issuer = 'https://id.example';
let edge: EdgeMesh;
let withTokens: EdgeMesh;
beforeAll(async () => {
  edge = await startEdgeMesh();
  withTokens = await startEdgeMesh({
    config: {
      edge: {
        jwt: { issuer, audience: 'ragmesh', secret },
        publicUrl: 'https://rag.example',
        corsOrigins: ['https://shop.example'],
      },
    },
  });
});
afterAll(async () => {
  await edge.mesh.close();
  await withTokens.mesh.close();
});

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const post = (url: string, headers: Record<string, string>, body: unknown = initialize) =>
  fetch(`${url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
  });
const tokenFor = (audience: string) =>
  new SignJWT({ sub: 'u1', tenant: 'demo' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(secret));

describe('credentials', () => {
  test('are needed, and a client learns who issues tokens', async () => {
    const refused = await post(withTokens.url, {});
    expect(refused.status).toBe(401);
    const metadataUrl = 'https://rag.example/.well-known/oauth-protected-resource/mcp';
    expect(refused.headers.get('www-authenticate')).toBe(`Bearer resource_metadata="${metadataUrl}"`);
    expect(await refused.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32_000 } });
    for (const path of ['', '/mcp']) {
      const metadata = await fetch(`${withTokens.url}/.well-known/oauth-protected-resource${path}`);
      expect(await metadata.json()).toEqual({
        resource: 'https://rag.example/mcp',
        authorization_servers: [issuer],
        bearer_methods_supported: ['header'],
        resource_name: 'ragmesh',
      });
    }
  });

  test('of an identity provider are bound to the audience: this server, and no other', async () => {
    for (const audience of ['ragmesh', 'https://rag.example', 'https://rag.example/mcp']) {
      const reply = await post(withTokens.url, { authorization: `Bearer ${await tokenFor(audience)}` });
      expect(reply.status).toBe(200);
    }
    for (const audience of ['https://other.example/mcp', 'https://rag.example.evil/mcp', 'https://rag.example/mcp2']) {
      const reply = await post(withTokens.url, { authorization: `Bearer ${await tokenFor(audience)}` });
      expect(reply.status).toBe(401);
    }
  });

  test('that are keys need no metadata, and none are served', async () => {
    const refused = await post(edge.url, {});
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect((await fetch(`${edge.url}/.well-known/oauth-protected-resource/mcp`)).status).toBe(404);
    expect((await post(edge.url, edge.authorization)).status).toBe(200);
  });
});

test('pages of foreign origins are refused, also if their name points here', async () => {
  const authorization = `Bearer ${await tokenFor('ragmesh')}`;
  const statusOf = async (origin: string) => (await post(withTokens.url, { authorization, origin })).status;
  expect(await statusOf('https://evil.example')).toBe(403);
  expect(await statusOf('http://localhost.evil.example')).toBe(403);
  expect(await statusOf('null')).toBe(403);
  expect(await statusOf('http://localhost:6274')).toBe(200);
  expect(await statusOf('https://shop.example')).toBe(200);
  expect(await statusOf('https://rag.example')).toBe(200);
});

test('clients of HTTP/2 are served as those of HTTP/1.1', async () => {
  const session = connect(edge.url);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/mcp',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...edge.authorization,
  });
  stream.end(JSON.stringify(initialize));
  const [headers] = await once(stream, 'response');
  let said = '';
  for await (const part of stream) said += part;
  session.close();
  expect(headers[':status'], said).toBe(200);
  expect(said).toContain('"serverInfo"');
});

test('what is no request of the protocol is refused in its form', async () => {
  for (const method of ['GET', 'DELETE']) {
    const reply = await fetch(`${edge.url}/mcp`, { method, headers: edge.authorization });
    expect(reply.status).toBe(405);
  }
  const notJson = await fetch(`${edge.url}/mcp`, {
    method: 'POST',
    headers: { ...edge.authorization, 'content-type': 'application/json' },
    body: '{',
  });
  expect([notJson.status, await notJson.json()]).toMatchObject([400, { jsonrpc: '2.0', error: {} }]);
  const tooDeep = JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`);
  expect((await post(edge.url, edge.authorization, { ...initialize, params: { x: tooDeep } })).status).toBe(400);
  expect((await post(edge.url, edge.authorization, { jsonrpc: '2.0', id: 2, method: 'no/such' })).status).toBeLessThan(
    500,
  );
});

test('ids and addresses of documents name the same document', () => {
  for (const documentId of ['a.md', 'dir/a b.md', '退货/说明.md', '100%', 'a?b#c', 'ragmesh://x']) {
    const document = { corpus: 'help.v1', documentId };
    expect(parseMcpId(toMcpId(document))).toEqual(document);
    expect(parseMcpId(toResourceUri(document))).toEqual(document);
    expect(parseMcpId(new URL(toResourceUri(document)).href)).toEqual(document);
  }
  for (const wrong of ['', 'a', '/a', 'a/', 'ragmesh://documents/a', 'ragmesh://documents/a/%']) {
    expect(() => parseMcpId(wrong)).toThrow(/names no document/);
  }
});
