import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createTestBreakers } from '#kit/testing/breakers.ts';
import {
  describeTool,
  orders,
  type SeenCall,
  serverSecret,
  status,
  type ToolFixture,
} from '../../suites/tool.suite.ts';
import { adapter } from './mcp.ts';

async function start(tool = 'get_order', redirectTo?: string): Promise<ToolFixture & { url: string }> {
  const seen: SeenCall[] = [];
  const server = createServer(async (incoming, outgoing) => {
    if (redirectTo !== undefined) return outgoing.writeHead(307, { location: redirectTo }).end();
    const { authorization = '', 'accept-language': language = '' } = incoming.headers;
    const handler = createMcpHandler(() => {
      const mcp = new McpServer({ name: 'orders', version: '1' });
      const description = 'Returns where an order is';
      const inputSchema = z.object({ order_id: z.string() });
      mcp.registerTool(
        'get_order',
        { description, inputSchema, annotations: { readOnlyHint: true } },
        async (given) => {
          seen.push({ orderId: given.order_id, identity: authorization, language });
          if (given.order_id === orders.failing) throw new Error(serverSecret);
          if (given.order_id === orders.silent) await new Promise((resolve) => outgoing.once('close', resolve));
          const found = { order_id: given.order_id, status: status(given.order_id) };
          return { structuredContent: found, content: [{ type: 'text', text: JSON.stringify(found) }] };
        },
      );
      mcp.registerTool('drop_order', { description: 'Drops an order' }, async () => ({ content: [] }));
      return mcp;
    });
    const reply = await handler.fetch(await toRequest(incoming));
    outgoing.writeHead(reply.status, Object.fromEntries(reply.headers));
    for await (const part of reply.body ?? []) outgoing.write(part);
    return outgoing.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const settings = { url, tool, headers: {}, identity_header: 'authorization' };
  const created = await adapter.create(settings, {
    fetch: globalThis.fetch,
    breakers: createTestBreakers(),
    path: 'chat.tools[0]',
  });
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  return { tool: created, seen, close, url };
}

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const body = parts.length === 0 ? null : Buffer.concat(parts);
  return new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method ?? 'GET',
    headers,
    body,
  });
}

describeTool('MCP', () => start());

test('a tool without a hint is not said to read only, and one that the server lacks is refused', async () => {
  const { signal } = new AbortController();
  const dropping = await start('drop_order');
  expect((await dropping.tool.describe(signal)).isReadOnly).toBe(false);
  await dropping.close();
  const missing = await start('no_such_tool');
  await expect(missing.tool.describe(signal)).rejects.toThrow('no_such_tool');
  await missing.close();
});

test('a redirect is not followed', async () => {
  const elsewhere = await start();
  const { tool, close } = await start('get_order', elsewhere.url);
  const call = { arguments: { order_id: 'A-1' }, identity: 'token', language: '' };
  await expect(tool.call(call, new AbortController().signal)).rejects.toThrow();
  expect(elsewhere.seen).toEqual([]);
  await close();
  await elsewhere.close();
});
