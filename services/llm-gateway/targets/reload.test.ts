import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ConfigSchema, type LLMGatewayConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import {
  doneOf,
  eventually,
  modelAt,
  startTestGateway,
  type TestGateway,
  textOf,
  usagesOf,
} from '../testing/gateway.ts';
import { content, finish, type Responder, startFakeProvider, streamed, usage } from '../testing/provider-server.ts';

const says = (text: string) => streamed([content(text), finish('stop'), usage(1_000_000, 0)]);
const configure = (gateway: TestGateway, llm: MessageInitShape<typeof LLMGatewayConfigSchema>) =>
  gateway.mesh.host.reconfigure(create(ConfigSchema, { llmGateway: llm }));
const namesIn = async (gateway: TestGateway) => {
  const { models } = await gateway.mesh.client(LLMGatewayService).listModels({}, await gateway.mesh.as());
  return models.map(({ name }) => name);
};
const priced = (version: string, prompt: number) => ({
  version,
  currency: 'USD',
  prices: [{ model: 'a', prompt, completion: 0 }],
});

test('models, routes and prices change while it runs; a request in flight keeps those that it began with', async () => {
  let finishOld = () => {};
  const slow: Responder = (response) => {
    streamed([content('old ')], true)(response, response.req, undefined);
    finishOld = () => {
      for (const chunk of [content('end'), finish('stop'), usage(1_000_000, 0)]) {
        response.write(`data: ${JSON.stringify(chunk)}\n\n`);
      }
      response.end();
    };
  };
  await using old = await startFakeProvider(slow);
  await using next = await startFakeProvider(says('new'));
  await using gateway = await startTestGateway({ models: [modelAt(old.url, 'a')], prices: priced('1', 1) });
  const under = gateway.ask();
  await eventually(() => expect(old.requests).toHaveLength(1));
  await configure(gateway, {
    models: [modelAt(next.url, 'a'), modelAt(next.url, 'b')],
    routes: [{ name: 'r', models: ['b'] }],
    prices: priced('2', 5),
  });
  expect(await namesIn(gateway)).toEqual(['a', 'b', 'extractive', 'r']);
  const after = await gateway.ask();
  expect(textOf(after)).toBe('new');
  expect(usagesOf(after)).toMatchObject([{ costMicros: 5_000_000n, priceVersion: '2' }]);
  finishOld();
  const responses = await under;
  expect(textOf(responses)).toBe('old end');
  expect(usagesOf(responses)).toMatchObject([{ costMicros: 1_000_000n, priceVersion: '1' }]);
  // The old target's connections close with the last request that used them.
  await eventually(async () => expect(await old.connections()).toBe(0));
});

test('a target with the same configuration keeps its connections', async () => {
  await using server = await startFakeProvider(says('ok'));
  const a = modelAt(server.url, 'a');
  await using gateway = await startTestGateway({ models: [a] });
  await gateway.ask();
  await configure(gateway, { models: [a, modelAt(server.url, 'b')] });
  await gateway.ask();
  expect(await server.connections()).toBe(1);
});

test.each<[string, MessageInitShape<typeof LLMGatewayConfigSchema>, string]>([
  ['adapter', { models: [{ name: 'x', adapter: 'nobody' }] }, 'no adapter "nobody"'],
  ['setting', { models: [{ name: 'x', adapter: 'openai-compatible', settings: { nonsense: 1 } }] }, 'unknown setting'],
  ['route', { routes: [{ name: 'r', models: ['x'] }] }, 'no model "x"'],
  ['price table', { models: [modelAt('http://127.0.0.1:9/v1', 'a')], prices: { ...priced('', 1) } }, 'version'],
  [
    'price of quotations',
    { prices: { version: '2', currency: 'USD', prices: [{ model: 'extractive', prompt: 1 }] } },
    'only quotes documents',
  ],
  ['limit store', { limits: { store: { adapter: 'nobody' } } }, 'store'],
])('a bad %s changes nothing', async (_, llm, message) => {
  await using server = await startFakeProvider(says('ok'));
  await using gateway = await startTestGateway({ models: [modelAt(server.url, 'a')], prices: priced('1', 3) });
  await expect(configure(gateway, llm)).rejects.toThrow(message);
  expect(await namesIn(gateway)).toEqual(['a', 'extractive']);
  const responses = await gateway.ask();
  expect(doneOf(responses).attemptCount).toBe(1);
  expect(usagesOf(responses)).toMatchObject([{ costMicros: 3_000_000n, priceVersion: '1' }]);
});

test('limits change while it runs', async () => {
  await using server = await startFakeProvider(says('ok'));
  const models = [modelAt(server.url, 'a')];
  await using gateway = await startTestGateway({ models });
  await gateway.ask();
  await configure(gateway, { models, limits: { defaultTenant: { tokensPerMinute: 1n } } });
  await expect(gateway.ask()).rejects.toThrow();
  await configure(gateway, { models });
  await gateway.ask();
});
