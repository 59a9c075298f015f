import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '#kit/base/config-error.ts';
import { createTestBreakers } from '#kit/testing/breakers.ts';
import {
  describeTool,
  orders,
  type SeenCall,
  serverSecret,
  status,
  type ToolFixture,
} from '../../../suites/tool.suite.ts';
import { adapter } from './index.ts';
import { findOperation } from './operation.ts';
import { toHttpRequest } from './request.ts';

const document = `
openapi: 3.1.0
paths:
  /orders/{order_id}:
    parameters: [{ $ref: '#/components/parameters/order' }]
    get:
      operationId: getOrder
      summary: Returns where an order is
      parameters:
        - { name: fields, in: query, schema: { type: array, items: { type: string } } }
    post:
      operationId: noteOrder
      requestBody: { required: true, content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } }
    delete: { operationId: dropOrder }
    put: { operationId: uploadOrder, requestBody: { content: { image/png: {} } } }
components:
  parameters:
    order: { name: order_id, in: path, required: true, schema: { $ref: '#/components/schemas/OrderId' } }
  schemas:
    OrderId: { type: string, description: Number of the order }
    Note: { type: object, properties: { text: { type: string }, replies: { type: array, items: { $ref: '#/components/schemas/Note' } } } }
`;
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-openapi-'));
const openapi_file = join(folder, 'orders.yaml');
writeFileSync(openapi_file, document);
afterAll(() => rmSync(folder, { recursive: true }));

async function start(operation = 'getOrder', redirectTo?: string): Promise<ToolFixture & { url: string }> {
  const seen: SeenCall[] = [];
  const server = createServer((request, response) => {
    const orderId = /\/orders\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
    const { authorization = '', 'accept-language': language = '' } = request.headers;
    seen.push({ orderId, identity: authorization, language });
    if (redirectTo !== undefined) return response.writeHead(307, { location: redirectTo }).end();
    if (orderId === orders.silent) return undefined;
    if (orderId === orders.failing) return response.writeHead(500).end(JSON.stringify({ error: serverSecret }));
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify({ order_id: orderId, status: status(orderId) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const settings = { base_url: url, openapi_file, operation, headers: {}, identity_header: 'authorization' };
  const tool = await adapter.create(settings, {
    fetch: globalThis.fetch,
    breakers: createTestBreakers(),
    path: 'chat.tools[0]',
  });
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  return { tool, seen, close, url };
}

describeTool('HTTP, described by OpenAPI', () => start());

test('a redirect is not followed: the identity stays with the configured server', async () => {
  const elsewhere = await start();
  const { tool, close } = await start('getOrder', `${elsewhere.url}/orders/A-1`);
  const work = tool.call(
    { arguments: { order_id: 'A-1' }, identity: 'token', language: '' },
    new AbortController().signal,
  );
  await expect(work).rejects.toThrow('307');
  expect(elsewhere.seen).toEqual([]);
  await close();
  await elsewhere.close();
});

test.each([
  ['missing', /no operation/],
  ['uploadOrder', /application\/json/],
])('the operation %s stops the start', async (operation, message) => {
  const error = await start(operation).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).toMatch(message);
});

describe('a request', () => {
  const { parse } = { parse: (id: string) => findOperation(documentObject, id) };
  const documentObject = JSON.parse(
    JSON.stringify({
      paths: {
        '/orders/{id}': {
          post: {
            operationId: 'note',
            parameters: [
              { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
              { name: 'tag', in: 'query', schema: { type: 'array' } },
              { name: 'x-reason', in: 'header', schema: { type: 'string' } },
            ],
            requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
          },
        },
      },
    }),
  ) as object;
  const requestOf = (given: Record<string, never> | object) =>
    toHttpRequest(parse('note'), 'http://host/v1', given as Record<string, string>);

  test('puts each argument in its place', () => {
    const given = { id: 'a/b?c', tag: ['x', 'y z'], 'x-reason': 'late', body: { text: 'hi' } };
    expect(requestOf(given)).toEqual({
      url: 'http://host/v1/orders/a%2Fb%3Fc?tag=x&tag=y+z',
      headers: { 'x-reason': 'late', 'content-type': 'application/json' },
      body: '{"text":"hi"}',
    });
  });

  test.each([{ id: '..' }, { id: '' }, {}, { id: { a: 1 } }, { id: 'a', 'x-reason': 'a\r\nhost: evil' }])(
    'is refused for %j',
    (given) => {
      expect(() => requestOf(given)).toThrow();
    },
  );
});

test('a schema that contains itself ends', () => {
  const looping = { paths: { '/': { get: { operationId: 'a', parameters: [{ $ref: '#/p' }] } } }, p: { $ref: '#/p' } };
  expect(() => findOperation(looping, 'a')).toThrow(/supported/);
});
