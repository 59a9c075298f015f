import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashKey } from '../credentials/api-keys.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-console-'));
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  edge = await startEdgeMesh({
    consoleFolder: pathToFileURL(`${join(folder, 'dist')}/`),
    config: { edge: { corsOrigins: ['https://shop.example'] } },
  });
});
afterAll(async () => {
  await edge.mesh.close();
  rmSync(folder, { recursive: true });
});

interface Reply {
  status: number | undefined;
  headers: Record<string, unknown>;
  body: string;
}

// `fetch` tidies paths and refuses to send some headers; this sends what it is given.
const send = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: edge.edge.port, path, headers, method }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });

describe('the page', () => {
  test('says how to build it if it is not built', async () => {
    const reply = await send('/');
    expect(reply.status).toBe(200);
    expect(reply.body).toContain('npm run console:build');
  });

  test('is served once it is built, and nothing beside it', async () => {
    mkdirSync(join(folder, 'dist', 'assets'), { recursive: true });
    writeFileSync(join(folder, 'dist', 'index.html'), '<!doctype html><title>ragmesh</title>');
    writeFileSync(join(folder, 'dist', 'assets', 'index-abc123.js'), `console.log('${'x'.repeat(2000)}')`);
    const page = await send('/');
    expect(page.body).toContain('<title>ragmesh</title>');
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/^default-src 'none'; script-src 'self';/),
    });
    expect(String(page.headers['content-security-policy'])).not.toContain('unsafe');
    const script = await send('/assets/index-abc123.js');
    expect(script.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    const packed = await send('/assets/index-abc123.js', { 'accept-encoding': 'br, gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(Number(packed.headers['content-length'])).toBeLessThan(500);
    expect((await send('/', { 'if-none-match': String(page.headers.etag) })).status).toBe(304);
    expect(await send('/', {}, 'HEAD')).toMatchObject({ status: 200, body: '' });
  });

  test('leads nowhere else', async () => {
    const paths = [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets',
      '/assets/',
    ];
    for (const path of [...paths, '/secret.txt', '//secret.txt', '/index.html/', '/__proto__', '/console']) {
      const reply = await send(path);
      expect([400, 404], path).toContain(reply.status);
      expect(reply.body).not.toContain('secret"');
    }
  });
});

describe('the development keys', () => {
  const local = () => ({ host: `localhost:${edge.edge.port}` });
  const keys = () => ({ key: edge.edge.devKeys?.dev, customer_key: edge.edge.devKeys?.customer });

  test("are handed to the console's own page", async () => {
    for (const headers of [
      local(),
      { host: `127.0.0.1:${edge.edge.port}` },
      { host: '[::1]:80' },
      { ...local(), origin: `http://localhost:${edge.edge.port}`, 'sec-fetch-site': 'same-origin' },
    ]) {
      const reply = await send('/console/session', headers);
      expect(reply.status).toBe(200);
      expect(JSON.parse(reply.body)).toEqual(keys());
      expect(reply.headers).toMatchObject({
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
      });
    }
    const session = connect(edge.url);
    const body = await new Promise<string>((resolve) => {
      let text = '';
      const stream = session.request({ ':path': '/console/session' });
      stream.on('data', (data) => {
        text += data;
      });
      stream.on('end', () => resolve(text));
    });
    session.close();
    expect(JSON.parse(body)).toEqual(keys());
  });

  test('are not handed to pages from elsewhere, by whatever name they come', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { host: `evil.example:${edge.edge.port}` },
      { host: 'localhost.evil.example' },
      { host: '127.0.0.1.evil.example' },
      { ...local(), origin: 'https://evil.example' },
      { ...local(), origin: 'http://localhost:3000' },
      { ...local(), origin: 'null' },
      { ...local(), origin: 'https://shop.example' },
      { ...local(), 'sec-fetch-site': 'cross-site' },
      { ...local(), 'sec-fetch-site': 'same-site' },
      { ...local(), 'x-forwarded-for': '8.8.8.8' },
      { ...local(), 'x-forwarded-host': 'shop.example' },
      { ...local(), forwarded: 'for=127.0.0.1' },
      { ...local(), via: '1.1 nginx' },
      { ...local(), 'x-real-ip': '127.0.0.1' },
    ]) {
      const reply = await send('/console/session', headers);
      expect(reply.status, JSON.stringify(headers)).toBe(404);
      expect(reply.body).not.toContain('rm_dev_');
    }
    expect((await send('/console/session', local(), 'POST')).status).toBe(404);
  });

  test('are absent if credentials are configured', async () => {
    await using other = await startEdgeMesh({
      config: { edge: { apiKeys: [{ id: 'k', sha256: hashKey('k'), tenant: 'acme' }] } },
    });
    expect(other.edge.devKeys).toBeUndefined();
    expect((await fetch(`${other.url}/console/session`)).status).toBe(404);
    expect((await fetch(`${other.url}/v1/models`, { headers: { 'x-api-key': 'k' } })).status).toBe(200);
    expect((await fetch(`${other.url}/v1/models`, { headers: edge.authorization })).status).toBe(401);
  });

  test('are the same after a restart', async () => {
    const first = await startEdgeMesh();
    await first.mesh.close(true);
    await using second = await startEdgeMesh({ dataDir: first.mesh.dataDir });
    expect(second.edge.devKeys).toEqual(first.edge.devKeys);
  });
});

describe('pages of other origins', () => {
  const path = '/ragmesh.chat.v1.ChatService/Ask';
  test('may call if they are configured', async () => {
    const preflight = await send(
      path,
      { origin: 'https://shop.example', 'access-control-request-method': 'POST' },
      'OPTIONS',
    );
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://shop.example');
    const allowed = String(preflight.headers['access-control-allow-headers']).toLowerCase();
    for (const name of [
      'authorization',
      'x-api-key',
      'content-type',
      'connect-protocol-version',
      'connect-timeout-ms',
    ]) {
      expect(allowed).toContain(name);
    }
    const reply = await send('/v1/models', { origin: 'https://shop.example' });
    expect(reply.status).toBe(401);
    expect(reply.headers['access-control-allow-origin']).toBe('https://shop.example');
    expect(String(reply.headers['access-control-expose-headers']).toLowerCase()).toContain('grpc-status');
    expect(reply.headers.vary).toBe('origin');
  });

  test('may not if they are not', async () => {
    const preflight = await send(
      path,
      { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
      'OPTIONS',
    );
    expect(preflight.headers).not.toHaveProperty('access-control-allow-origin');
    expect((await send('/v1/models', { origin: 'https://evil.example' })).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
  });
});
