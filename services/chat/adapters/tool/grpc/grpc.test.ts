import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { afterAll, expect, test } from 'vitest';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { createReflection } from '#kit/host/reflection.ts';
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
import { registryOf } from './registry.ts';

const text = (name: string, number: number) => ({
  name,
  number,
  type: FieldDescriptorProto_Type.STRING,
  label: FieldDescriptorProto_Label.OPTIONAL,
});
const file = create(FileDescriptorProtoSchema, {
  name: 'orders.proto',
  package: 'test',
  syntax: 'proto3',
  messageType: [
    { name: 'GetRequest', field: [text('order_id', 1)] },
    { name: 'GetResponse', field: [text('order_id', 1), text('status', 2)] },
  ],
  service: [
    {
      name: 'Orders',
      method: [
        {
          name: 'Get',
          inputType: '.test.GetRequest',
          outputType: '.test.GetResponse',
          options: { idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS },
        },
        { name: 'Drop', inputType: '.test.GetRequest', outputType: '.test.GetResponse' },
        { name: 'Watch', inputType: '.test.GetRequest', outputType: '.test.GetResponse', serverStreaming: true },
      ],
    },
  ],
  sourceCodeInfo: { location: [{ path: [6, 0, 2, 0], leadingComments: ' Returns where an order is.\n' }] },
});
const service = registryOf([file]).getService('test.Orders');

async function start(settings: { descriptor_file?: string; method?: string } = {}): Promise<ToolFixture> {
  const seen: SeenCall[] = [];
  const handlers = {
    async get({ orderId }: { orderId: string }, { requestHeader, signal }: HandlerContext) {
      const [identity, language] = ['authorization', 'accept-language'].map((name) => requestHeader.get(name) ?? '');
      seen.push({ orderId, identity: identity ?? '', language: language ?? '' });
      if (orderId === orders.failing) throw new ConnectError(serverSecret, Code.Internal);
      if (orderId === orders.silent) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { orderId, status: status(orderId) };
    },
  };
  const server = createServer(
    connectNodeAdapter({
      routes(router) {
        if (service === undefined) return;
        router.service(service, handlers as never);
        router.service(ServerReflection, createReflection([service]).v1 as never);
      },
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const given = {
    address,
    method: 'test.Orders/Get',
    descriptor_file: '',
    headers: {},
    identity_header: 'authorization',
  };
  const tool = await adapter.create(
    { ...given, ...settings },
    { fetch: globalThis.fetch, breakers: createTestBreakers(), path: 'chat.tools[0]' },
  );
  return { tool, seen, close: async () => void server.close() };
}

describeTool('gRPC, described by reflection', () => start());

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-tool-'));
const descriptor_file = join(folder, 'orders.binpb');
writeFileSync(descriptor_file, toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file] })));
afterAll(() => rmSync(folder, { recursive: true }));
describeTool('gRPC, described by a file', () => start({ descriptor_file }));

test('a method that may change something does not claim to read only', async () => {
  const { tool, close } = await start({ method: 'test.Orders/Drop' });
  expect((await tool.describe(new AbortController().signal)).isReadOnly).toBe(false);
  await tool.close();
  await close();
});

test.each(['test.Orders/Missing', 'test.Orders/Watch', 'test.Other/Get'])(
  'a file without the unary method %s stops the start',
  async (method) => {
    await expect(start({ descriptor_file, method })).rejects.toThrow(ConfigError);
  },
);

test('calls of a server that never replies end immediately after a few waits', async () => {
  const { tool, seen, close } = await start({ descriptor_file });
  const callSilent = () =>
    tool
      .call({ arguments: { order_id: orders.silent }, identity: '', language: '' }, AbortSignal.timeout(300))
      .catch((error: unknown) => error);
  let count = 1;
  // A call that waits ends with its own time limit.
  while (!((await callSilent()) instanceof ConnectError) && count < 40) count++;
  expect(count).toBeGreaterThan(5);
  expect(count).toBeLessThan(40);
  expect(seen.length).toBeLessThan(count);
  await tool.close();
  await close();
});
