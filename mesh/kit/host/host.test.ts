import { generateKeyPairSync } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Code, createClient as createConnectClient } from '@connectrpc/connect';
import { createGrpcTransport as createConnectGrpcTransport } from '@connectrpc/connect-node';
import { afterEach, expect, test } from 'vitest';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { Health } from '#gen/health/v1/health_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { rpcError } from '../base/errors.ts';
import { createLogger } from '../base/log.ts';
import { collect, sleep } from '../base/streams.ts';
import { calls } from '../rpc/needs.ts';
import { policyOf } from '../rpc/policy.ts';
import { createSlowEcho, echo } from '../testing/echo.ts';
import { startTestMesh, type TestMesh } from '../testing/mesh.ts';
import { defineService, type ServiceDefinition } from './define-service.ts';
import { startHost } from './host.ts';
import { inOrderOfNeeds } from './start/order.ts';

const open: TestMesh[] = [];
const start = async (...args: Parameters<typeof startTestMesh>) => {
  const mesh = await startTestMesh(...args);
  open.push(mesh);
  return mesh;
};
afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.close();
});

test('a service of the mesh that runs nowhere does not stop a process that only serves its public methods', async () => {
  const front = defineService({
    name: 'front',
    contracts: [],
    config: () => ({}),
    needs: {},
    optionalNeeds: { chat: calls(ChatService, 'getSession') },
    servesPublic: true,
    async create({ published, optionalClients }) {
      const names = published.map(({ service, contract }) => `${service} ${contract.typeName}`);
      const call = async () => optionalClients.chat().getSession({ sessionId: 's' });
      return { impl: {}, names, call, close: async () => {} };
    },
  });
  const chat = defineService({
    name: 'chat',
    contracts: [ChatService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: {}, close: async () => {} }),
  });
  const mesh = await start([front], { known: [front, chat] });
  const { names, call } = mesh.host.running('front') as unknown as { names: string[]; call(): Promise<unknown> };
  expect(names).toEqual(['chat ragmesh.chat.v1.ChatService']);
  await expect(call()).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: 'the service "chat" is not part of this deployment',
  });
});

test('calls to other processes are retried by the contract, unless the configuration leaves that to the mesh', async () => {
  let callCount = 0;
  const flaky = defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        unary() {
          callCount++;
          throw rpcError(Code.Unavailable, ErrorReason.NOT_SERVING, 'not now');
        },
      },
      close: async () => {},
    }),
  });
  const caller = defineService({
    name: 'caller',
    contracts: [ChatService],
    config: () => ({}),
    needs: { echo: calls(EchoService, 'unary') },
    create: async ({ clients }) => ({
      impl: {
        async getSession(_request, context) {
          await clients.echo.unary({}, context.forward());
          return {};
        },
      },
      close: async () => {},
    }),
  });
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const identity = { privateKey };
  const behind = await start([flaky], { config: { identity } });
  const addresses = { echo: `127.0.0.1:${behind.host.grpcPort}` };
  const attempts = async (grpc: { retries?: boolean }) => {
    const mesh = await start([caller], { known: [flaky, caller], config: { identity, addresses, grpc } });
    callCount = 0;
    await expect(mesh.client(ChatService).getSession({ sessionId: 's' }, await mesh.as())).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    return callCount;
  };
  expect(await attempts({})).toBe(policyOf(EchoService.method.unary).maxAttempts);
  expect(policyOf(EchoService.method.unary).maxAttempts).toBeGreaterThan(1);
  expect(await attempts({ retries: false })).toBe(1);
});

test('metrics are scraped and count calls', async () => {
  const mesh = await start([echo]);
  await mesh.client(EchoService).unary({ text: 'a' }, await mesh.as());
  const text = await (await fetch(`http://127.0.0.1:${mesh.host.adminPort}/metrics`)).text();
  expect(text).toContain('# TYPE ragmesh_degradation_total counter');
  // Only a process that runs a service has its metrics.
  expect(text).not.toContain('ai_cache_lookup_total');
  expect(text).toContain('ragmesh_rpc_total{service="ragmesh.testing.v1.EchoService",method="Unary",code="OK"} 1');
});

test('reflection describes a service to a client that knows nothing of it', async () => {
  const mesh = await start([echo]);
  const transport = createConnectGrpcTransport({ baseUrl: `http://127.0.0.1:${mesh.host.grpcPort}` });
  const client = createConnectClient(ServerReflection, transport);
  const answers = await collect(
    client.serverReflectionInfo(
      (async function* () {
        yield { messageRequest: { case: 'listServices' as const, value: '' } };
        yield { messageRequest: { case: 'fileContainingSymbol' as const, value: 'ragmesh.testing.v1.EchoService' } };
        yield { messageRequest: { case: 'fileByFilename' as const, value: 'no/such.proto' } };
      })(),
    ),
  );
  const [list, file, missing] = answers.map(({ messageResponse }) => messageResponse);
  if (list?.case !== 'listServicesResponse') throw new Error(`no list but ${list?.case}`);
  expect(list.value.service.map(({ name }) => name)).toContain('ragmesh.testing.v1.EchoService');
  if (file?.case !== 'fileDescriptorResponse') throw new Error(`no file but ${file?.case}`);
  expect(file.value.fileDescriptorProto.length).toBeGreaterThan(2);
  expect(missing?.case).toBe('errorResponse');
});

test.each(['grpc', 'local'] as const)(
  'a stream that was accepted over %s ends well while the process drains',
  async (face) => {
    const { service, release } = createSlowEcho();
    const mesh = await start([service]);
    const client = face === 'grpc' ? mesh.grpcClient(EchoService) : mesh.client(EchoService);
    const texts: string[] = [];
    const options = await mesh.as();
    const reading = (async () => {
      for await (const { text } of client.serverStream({}, options)) texts.push(text);
    })();
    while (texts.length === 0) await sleep(5);
    const closing = mesh.host.close();
    await sleep(50);
    release();
    await reading;
    await closing;
    expect(texts).toEqual(['first', 'last']);
  },
);

test('the grace period ends: what hangs is cut', async () => {
  const { service } = createSlowEcho();
  const mesh = await start([service], { config: { grpc: { drainMs: 100 } } });
  const reading = collect(mesh.grpcClient(EchoService).serverStream({}, await mesh.as()));
  const failed = expect(reading).rejects.toMatchObject({ code: Code.Unavailable });
  await sleep(50);
  await mesh.host.close();
  await failed;
});

test('an occupied port, an occupied folder and a missing address each say what to do', async () => {
  const mesh = await start([echo]);
  const samePort = start([echo], { config: { grpc: { port: mesh.host.grpcPort } } });
  await expect(samePort).rejects.toThrow(/gRPC: port \d+ is taken: .*grpc\.port/);
  const adminPort = start([echo], { config: { admin: { port: mesh.host.adminPort } } });
  await expect(adminPort).rejects.toThrow(/admin: port \d+ is taken: .*admin\.port/);
  const owner = defineService({
    name: 'owner',
    contracts: [],
    config: () => ({}),
    needs: {},
    async create({ lockDataDir }) {
      await Promise.all([lockDataDir(), lockDataDir()]);
      return { impl: {}, close: async () => {} };
    },
  });
  const owning = await start([owner]);
  const sameFolder = start([owner], { dataDir: owning.dataDir });
  await expect(sameFolder).rejects.toThrow(/another process runs "owner" over .*data_dir/);
  const lonely = defineService({
    name: 'lonely',
    contracts: [],
    config: () => ({}),
    needs: { echo: calls(EchoService, 'unary') },
    create: async () => ({ impl: {}, close: async () => {} }),
  });
  await expect(start([lonely], { known: [echo, lonely] })).rejects.toThrow('addresses.echo: is missing');
});

test('a name in addresses that is not a service stops the start, with the nearest one', async () => {
  await expect(start([echo], { config: { addresses: { ecoh: 'there:1', nowhere: 'there:1' } } })).rejects.toThrow(
    'configuration: 2 errors:\n  addresses.ecoh: unknown service: did you mean "echo"?; allowed: echo\n  addresses.nowhere: unknown service; allowed: echo',
  );
});

test('a service finds another one by its address', async () => {
  const mesh = await start([echo]);
  let heard = '';
  const caller: ServiceDefinition = defineService({
    name: 'caller',
    contracts: [ChatService],
    config: () => ({}),
    needs: { echo: calls(EchoService, 'unary') },
    create: async ({ clients }) => {
      const options = await mesh.as();
      heard = (await clients.echo.unary({ text: 'over the wire' }, options)).text;
      return { impl: {}, close: async () => {} };
    },
  });
  const addresses = { echo: `127.0.0.1:${mesh.host.grpcPort}` };
  const config = create(ConfigSchema, {
    dataDir: `${mesh.dataDir}/other`,
    addresses,
    grpc: { port: 0 },
    admin: { port: 0 },
  });
  const host = await startHost({
    services: [caller],
    known: [echo, caller],
    config,
    env: {},
    log: createLogger('silent'),
  });
  expect(heard).toBe('over the wire');
  await host.close();
});

test('a service may serve several contracts: each has its health, and a process needs only one of them', async () => {
  const both = defineService({
    name: 'both',
    contracts: [EchoService, CacheService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: { unary: ({ text }) => ({ text }), invalidate: () => ({ entryCount: 3n }) },
      close: async () => {},
    }),
  });
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const identity = { privateKey };
  const mesh = await start([both], { config: { identity } });
  const { statuses } = await mesh.grpcClient(Health).list({});
  expect(Object.keys(statuses).sort()).toEqual(['', 'liveness', CacheService.typeName, EchoService.typeName]);
  expect(await mesh.grpcClient(EchoService).unary({ text: 'one' }, await mesh.as())).toMatchObject({ text: 'one' });
  const caller = defineService({
    name: 'caller',
    contracts: [ChatService],
    config: () => ({}),
    needs: { echo: calls(EchoService, 'unary') },
    create: async ({ clients }) => ({
      impl: {
        async getSession(_request, context) {
          const { text } = await clients.echo.unary({ text: 'over the wire' }, context.forward());
          return { session: { title: text } };
        },
      },
      close: async () => {},
    }),
  });
  const addresses = { both: `127.0.0.1:${mesh.host.grpcPort}` };
  const other = await start([caller], { known: [both, caller], config: { identity, addresses } });
  const { session } = await other.client(ChatService).getSession({ sessionId: 's' }, await mesh.as());
  expect(session?.title).toBe('over the wire');
});

test('two contracts of a service cannot have an rpc of the same name', async () => {
  const clash = defineService({
    name: 'clash',
    contracts: [EmbeddingService, LLMGatewayService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: {}, close: async () => {} }),
  });
  await expect(start([clash])).rejects.toThrow('two contracts of clash have an rpc ListModels');
});

test('services start after those that they need, and a circle is refused', () => {
  const service = (name: string, contract: typeof EchoService | typeof ChatService | typeof Health, needs: object) =>
    ({ name, contracts: [contract], needs }) as unknown as ServiceDefinition;
  const a = service('a', EchoService, { b: calls(ChatService, 'ask') });
  const b = service('b', ChatService, { c: calls(Health, 'check') });
  const c = service('c', Health, {});
  expect(inOrderOfNeeds([a, b, c]).map(({ name }) => name)).toEqual(['c', 'b', 'a']);
  expect(() => inOrderOfNeeds([a, service('b', ChatService, { a: calls(EchoService, 'unary') })])).toThrow(
    'lead back to itself',
  );
});
