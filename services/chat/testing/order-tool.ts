import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { ConfiguredTool } from '../tools/configured.ts';

/** A service of orders over HTTP, and tools that read and change them. */
export interface OrderTool {
  /** `get_order` reads; `cancel_order` changes. */
  tools: ConfiguredTool[];
  /** Calls of the service: "GET /orders/A-1" with who calls. */
  seen: { call: string; token: string }[];
  /** What it replies; `undefined`: with status 503. */
  reply: JsonObject | undefined;
  close(): void;
}

const document = {
  openapi: '3.1.0',
  paths: {
    '/orders/{order_id}': {
      parameters: [{ name: 'order_id', in: 'path', required: true, schema: { type: 'string', pattern: '^A-' } }],
      get: { operationId: 'getOrder', summary: 'Returns where an order is' },
      delete: { operationId: 'cancelOrder', summary: 'Cancels an order' },
    },
  },
};

/** Starts the service. `change` changes a tool before it is used. */
export async function startOrderTool(
  change: (tool: ConfiguredTool) => Partial<ConfiguredTool> = () => ({}),
): Promise<OrderTool> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-orders-'));
  const openapi_file = join(folder, 'orders.json');
  writeFileSync(openapi_file, JSON.stringify(document));
  const server = createServer((request, response) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    fixture.seen.push({ call: `${request.method} ${request.url}`, token });
    response.writeHead(fixture.reply === undefined ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(fixture.reply ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const toolOf = (name: string, operation: string, act: ConversationAct): ConfiguredTool => {
    const chosen = { adapter: 'http', settings: { base_url, openapi_file, operation }, path: `chat.tools.${name}` };
    const tool: ConfiguredTool = {
      ...{ name, chosen, title: name, description: '', tenants: [], roles: [], approval: undefined },
      ...{ timeoutMs: 20_000, maxResultTokens: 200, act, slot: 'order_id', slotPattern: /A-\d+/, replies: [] },
    };
    return { ...tool, ...change(tool) };
  };
  const fixture: OrderTool = {
    tools: [
      toolOf('get_order', 'getOrder', ConversationAct.ORDER_STATUS),
      toolOf('cancel_order', 'cancelOrder', ConversationAct.UNSPECIFIED),
    ],
    seen: [],
    reply: { order_id: 'A-1', status: 'shipped', expected_on: '2026-12-05' },
    close() {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true });
    },
  };
  return fixture;
}
