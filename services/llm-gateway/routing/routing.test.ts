import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { RouteOrder } from '#gen/ragmesh/config/v1/config_pb.ts';
import { LLMGatewayService, MessageRole, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Asked, modelAt, plainQuestion, startTestGateway, type TestGateway, textOf } from '../testing/gateway.ts';
import {
  after,
  content,
  failed,
  finish,
  type Responder,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';

const whole = streamed([content('ok'), finish('stop'), usage(10, 2)]);
/** Names of the models in the order in which they were asked. */
const namesOf = (requests: readonly unknown[]) =>
  requests.map((request) => (request as { model: string }).model.replace('-at-provider', ''));
const errorOf = async (work: Promise<unknown>) => ConnectError.from(await work.then(undefined, (thrown) => thrown));
const list = async (gateway: TestGateway) =>
  (await gateway.mesh.client(LLMGatewayService).listModels({}, await gateway.mesh.as())).models;

describe('a request goes to a model that can take it', () => {
  const tool = { name: 'find', parametersJson: '{}' };
  const image = { source: { case: 'url' as const, value: 'https://example.com/a.png' } };
  const schema = { form: { case: 'jsonSchema' as const, value: { name: 'x', schemaJson: '{}' } } };
  const long = { role: MessageRole.USER, text: 'refund '.repeat(400) };
  test.each<[string, Asked, string]>([
    ['one that fits the first', {}, 'small'],
    ['tools', { tools: [tool] }, 'tools'],
    ['an image', { messages: [{ ...plainQuestion, images: [image] }] }, 'eyes'],
    ['structured output', { responseFormat: schema }, 'json'],
    ['a long prompt', { messages: [long] }, 'tools'],
    ['a long completion', { maxTokens: 500 }, 'tools'],
    ['a language that the first does not write well', { language: Language.ZH }, 'tools'],
  ])('%s', async (_, request, name) => {
    await using server = await startFakeProvider(whole);
    const none = { tools: false, images: false, jsonSchema: false };
    const models = [
      modelAt(server.url, 'small', { ...none, contextTokens: 300, maxOutputTokens: 100, languages: [Language.EN] }),
      modelAt(server.url, 'tools', { ...none, tools: true }),
      modelAt(server.url, 'eyes', { ...none, images: true }),
      modelAt(server.url, 'json', { ...none, jsonSchema: true }),
    ];
    await using gateway = await startTestGateway({
      models,
      routes: [{ name: 'any', models: models.map((m) => m.name ?? '') }],
    });
    await gateway.ask({ model: 'any', ...request });
    expect(namesOf(server.requests)).toEqual([name]);
    const inside = { source: { case: 'url' as const, value: 'http://169.254.169.254/latest' } };
    const refused = await errorOf(gateway.ask({ model: 'any', messages: [{ ...plainQuestion, images: [inside] }] }));
    expect(refused).toMatchObject({ code: Code.InvalidArgument });
    expect(server.requests).toHaveLength(1);
    const error = await errorOf(gateway.ask({ model: 'any', tools: [tool], responseFormat: schema }));
    expect(errorInfoOf(error)).toMatchObject({ reason: 'NO_MODEL_FITS', metadata: { needs: 'tools, json_schema' } });
  });
});

describe('a prompt that is too long for one model', () => {
  const tooLong = failed(400, { message: 'too long', code: 'context_length_exceeded' });
  const ask = async (first: number, second: number) => {
    await using a = await startFakeProvider(tooLong);
    await using b = await startFakeProvider(whole);
    const models = [modelAt(a.url, 'a', { contextTokens: first }), modelAt(b.url, 'b', { contextTokens: second })];
    await using gateway = await startTestGateway({ models, routes: [{ name: 'both', models: ['a', 'b'] }] });
    const text = await gateway.ask({ model: 'both' }).then(textOf, (thrown) => ConnectError.from(thrown).code);
    return { text, counts: [a.requests.length, b.requests.length] };
  };

  test.each([
    ['of which neither context is known', 0, 0],
    ['of which the other’s is not known', 4096, 0],
    ['of which only the other’s is known', 0, 4096],
    ['that is the shorter one', 4096, 8192],
  ])('goes to another, %s', async (_, first, second) => {
    expect(await ask(first, second)).toEqual({ text: 'ok', counts: [1, 1] });
  });

  test('does not go to one that is known not to be longer', async () => {
    expect(await ask(8192, 8192)).toEqual({ text: Code.InvalidArgument, counts: [1, 0] });
  });
});

test('an error says how many attempts of the request are left, if the gateway has made more than one', async () => {
  await using down = await startFakeProvider(failed(503, {}, { 'retry-after': '0' }));
  await using gateway = await startTestGateway({ models: [modelAt(down.url)], maxAttempts: 2 });
  const spent = await errorOf(gateway.ask());
  expect(down.requests).toHaveLength(2);
  expect(errorInfoOf(spent)?.metadata).toMatchObject({ attempts_left: '0' });
  await using refusing = await startFakeProvider(failed(401, {}));
  await using other = await startTestGateway({ models: [modelAt(refusing.url)] });
  expect(errorInfoOf(await errorOf(other.ask()))?.metadata).toMatchObject({ attempts_left: '0' });
  await using once = await startTestGateway({ models: [modelAt(down.url)], maxAttempts: 1 });
  expect(errorInfoOf(await errorOf(once.ask()))?.metadata).not.toHaveProperty('attempts_left');
});

describe('a route orders what fits', () => {
  const routed = async (
    order: RouteOrder,
    extra: { random?: () => number; replies?: Record<string, Responder> } = {},
  ) => {
    const server = await startFakeProvider((response, request, body) => {
      const [name = ''] = namesOf([body]);
      return (extra.replies?.[name] ?? whole)(response, request, body);
    });
    const gateway = await startTestGateway(
      {
        models: [modelAt(server.url, 'a', { weight: 1 }), modelAt(server.url, 'b', { weight: 3 })],
        routes: [{ name: 'both', models: ['a', 'b'], order }],
        prices: {
          version: '1',
          currency: 'USD',
          prices: [
            { model: 'a', prompt: 2, completion: 4 },
            { model: 'b', prompt: 1, completion: 1 },
          ],
        },
      },
      extra.random === undefined ? {} : { random: extra.random },
    );
    return {
      server,
      gateway,
      async [Symbol.asyncDispose]() {
        await gateway[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  };

  test('as listed, and to the cheapest by the price table', async () => {
    await using listed = await routed(RouteOrder.LISTED);
    await listed.gateway.ask({ model: 'both' });
    expect(namesOf(listed.server.requests)).toEqual(['a']);
    await using cheapest = await routed(RouteOrder.CHEAPEST);
    await cheapest.gateway.ask({ model: 'both' });
    expect(namesOf(cheapest.server.requests)).toEqual(['b']);
  });

  test('by chance, each with its weight', async () => {
    const draws = [0.1, 0, 0.3, 0, 0.6, 0, 0.9, 0];
    let count = 0;
    // The ids of reservations draw as well, at the start, and so do the ids of requests without one.
    let isOn = false;
    await using weighted = await routed(RouteOrder.WEIGHTED, {
      random: () => (isOn ? (draws[count++ % draws.length] as number) : 0),
    });
    isOn = true;
    for (let asked = 0; asked < 4; asked++) await weighted.gateway.ask({ model: 'both', requestId: `draw-${asked}` });
    expect(namesOf(weighted.server.requests)).toEqual(['a', 'b', 'b', 'b']);
  });

  test('to the one whose first tokens came soonest, once each has been measured', async () => {
    await using fastest = await routed(RouteOrder.LEAST_LATENCY, { replies: { a: after(80, whole) } });
    for (let asked = 0; asked < 4; asked++) await fastest.gateway.ask({ model: 'both' });
    expect(namesOf(fastest.server.requests)).toEqual(['a', 'b', 'b', 'b']);
  });

  test('to the one with the fewest requests in flight, by its weight', async () => {
    await using balanced = await routed(RouteOrder.LEAST_LOAD, {
      replies: { a: after(150, whole), b: after(150, whole) },
    });
    await Promise.all(Array.from({ length: 8 }, () => balanced.gateway.ask({ model: 'both' })));
    const names = namesOf(balanced.server.requests);
    expect(names.filter((name) => name === 'a')).toHaveLength(2);
    expect(names.filter((name) => name === 'b')).toHaveLength(6);
  });
});

test('a task uses its route if the caller names no model', async () => {
  await using server = await startFakeProvider(whole);
  await using gateway = await startTestGateway({
    models: [modelAt(server.url, 'large'), modelAt(server.url, 'small')],
    routes: [{ name: 'quick', models: ['small', 'large'], tasks: [Task.REWRITE, Task.ROUTE] }],
  });
  for (const task of [Task.REWRITE, Task.ROUTE, Task.ANSWER]) await gateway.ask({ task });
  await gateway.ask({ task: Task.REWRITE, model: 'large' });
  expect(namesOf(server.requests)).toEqual(['small', 'small', 'large', 'large']);
});

test('routes are listed with what they take, the default one first', async () => {
  await using server = await startFakeProvider(whole);
  await using gateway = await startTestGateway({
    models: [
      modelAt(server.url, 'a', { contextTokens: 100, tools: true, images: false }),
      modelAt(server.url, 'b', { contextTokens: 200, tools: false, images: false }),
    ],
    routes: [
      { name: 'quick', models: ['b'], tasks: [Task.REWRITE] },
      { name: 'main', models: ['a', 'b'], tasks: [Task.ANSWER] },
    ],
  });
  expect(await list(gateway)).toMatchObject([
    { name: 'main', targets: ['a', 'b'], contextTokens: 200, tools: true, images: false, generative: true },
    { name: 'a', targets: [], contextTokens: 100 },
    { name: 'b', targets: [] },
    { name: 'extractive', generative: false },
    { name: 'quick', targets: ['b'], tools: false },
  ]);
});

describe('a bad route stops the start', () => {
  test.each([
    [[{ name: 'x', models: ['nobody'] }], 'llm_gateway.routes[0].models: no model "nobody"'],
    [[{ name: 'a', models: ['a'] }], 'llm_gateway.routes[0].name: "a" names a model already'],
    [
      [
        { name: 'x', models: ['a'] },
        { name: 'x', models: ['a'] },
      ],
      'llm_gateway.routes[0].name',
    ],
    [
      [
        { name: 'x', models: ['a'], tasks: [Task.ANSWER] },
        { name: 'y', models: ['a'], tasks: [Task.ANSWER] },
      ],
      'llm_gateway.routes[1].tasks',
    ],
  ])('%j', async (routes, message) => {
    const models = [modelAt('http://127.0.0.1:9/v1', 'a')];
    await expect(startTestGateway({ models, routes })).rejects.toThrow(message);
  });
});

describe('a breaker', () => {
  const breaker = { failures: 2, openMs: 300 };

  test('opens for a failing target, lets one probe pass, and closes when it succeeds', async () => {
    let isWell = false;
    await using server = await startFakeProvider((...call) => (isWell ? after(60, whole) : failed(500, {}))(...call));
    await using gateway = await startTestGateway({ models: [modelAt(server.url)], maxAttempts: 1, breaker });
    const state = () => gateway.metric('ragmesh_llm_breaker_state{model="gpt"}');
    for (let count = 0; count < 2; count++) await errorOf(gateway.ask());
    expect(await state()).toBe(2);
    const refused = await errorOf(gateway.ask());
    expect(refused.message).toContain('circuit open');
    expect(server.requests).toHaveLength(2);
    isWell = true;
    await new Promise((resolve) => setTimeout(resolve, 320));
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => gateway.ask()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(server.requests).toHaveLength(3);
    expect(await state()).toBe(0);
    await Promise.all(Array.from({ length: 3 }, () => gateway.ask()));
    expect(server.requests).toHaveLength(6);
  });

  test('does not count the caller’s faults, filters, rate limits and cancels', async () => {
    const replies = [failed(400, {}), failed(400, { code: 'content_filter' }), failed(429, { code: 'slow_down' })];
    await using server = await startFakeProvider(...replies, ...replies, whole);
    await using gateway = await startTestGateway({ models: [modelAt(server.url)], maxAttempts: 1, breaker });
    for (let count = 0; count < 6; count++) await Promise.allSettled([gateway.ask()]);
    await Promise.allSettled([gateway.ask({}, { timeoutMs: 1 }), gateway.ask({}, { timeoutMs: 1 })]);
    await gateway.ask();
    expect(await gateway.metric('ragmesh_llm_breaker_state{model="gpt"}')).toBe(0);
  });
});

test('a caller with little time is answered by the second target if the first one is silent', async () => {
  await using server = await startFakeProvider((...call) => {
    const reply = namesOf([call[2]])[0] === 'mute' ? streamed([], true) : whole;
    return reply(...call);
  });
  await using gateway = await startTestGateway({
    models: [modelAt(server.url, 'mute'), modelAt(server.url, 'other')],
    routes: [{ name: 'both', models: ['mute', 'other'] }],
  });
  const responses = await gateway.ask({ model: 'both' }, { timeoutMs: 3000 });
  expect(textOf(responses)).toBe('ok');
  expect(namesOf(server.requests)).toEqual(['mute', 'other']);
});
