import { setTimeout as later } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually, modelAt, startTestGateway, type TestGateway } from '../testing/gateway.ts';
import {
  after,
  content,
  failed,
  finish,
  type Responder,
  silence,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';

// When a caller leaves, its provider is cancelled immediately, in every stage of the request, and everything is released.

/** Requests of the soak; 10,000 take about half a minute. */
const soakCount = 400;

const limits = { defaultTenant: { maxConcurrent: 1000, tokensPerMinute: 100_000_000n } };
const underWay = (gateway: TestGateway) => gateway.metric('ragmesh_llm_in_flight{model="gpt",state="under_way"}');
const waiting = (gateway: TestGateway) => gateway.metric('ragmesh_llm_in_flight{model="gpt",state="waiting"}');
const admitted = (gateway: TestGateway) => gateway.metric('ragmesh_llm_requests{state="admitted"}');
const expectNothingLeft = (gateway: TestGateway) =>
  eventually(async () => {
    expect([await underWay(gateway), await waiting(gateway), await admitted(gateway)]).toEqual([0, 0, 0]);
  });
/** Asks, and goes away when `ready`. */
async function leave(gateway: TestGateway, ready: () => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const asked = gateway.ask({}, { signal: controller.signal });
  const failed = expect(asked).rejects.toThrow();
  await ready();
  controller.abort();
  await failed;
}

describe('a caller that goes away', () => {
  test.each<[string, Responder]>([
    ['before the head', silence],
    ['before the first token', streamed([], true)],
    ['in the body', streamed([content('a')], true)],
  ])('%s breaks off the connection to the provider', async (_, reply) => {
    await using server = await startFakeProvider(reply);
    await using gateway = await startTestGateway({ models: [modelAt(server.url)], limits });
    await leave(gateway, () => eventually(() => expect(server.requests).toHaveLength(1)));
    await server.brokenOff;
    await expectNothingLeft(gateway);
  });

  test('in the queue of a target leaves it, and the provider never hears of it', async () => {
    await using server = await startFakeProvider(streamed([content('a')], true));
    await using gateway = await startTestGateway({
      models: [modelAt(server.url, 'gpt', { maxConcurrent: 1 })],
      limits,
    });
    await leave(gateway, async () => {
      await eventually(() => expect(server.requests).toHaveLength(1));
      await leave(gateway, () => eventually(async () => expect(await waiting(gateway)).toBe(1)));
      expect(await waiting(gateway)).toBe(0);
    });
    await expectNothingLeft(gateway);
    expect(server.requests).toHaveLength(1);
  });

  test('between two attempts ends the wait, and there is no second one', async () => {
    await using server = await startFakeProvider(failed(503, {}, { 'retry-after-ms': '400' }));
    await using gateway = await startTestGateway({ models: [modelAt(server.url)], limits });
    await leave(gateway, () => eventually(async () => expect(server.requests).toHaveLength(1)));
    await expectNothingLeft(gateway);
    await later(600);
    expect(server.requests).toHaveLength(1);
  });
});

test('what was asked for and not waited for is charged by our own count', async () => {
  await using server = await startFakeProvider(streamed([content('one two three')], true));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
  const controller = new AbortController();
  const options = await gateway.mesh.as(undefined, { signal: controller.signal });
  const work = async () => {
    for await (const { event } of gateway.stream({ requestId: 'left' }, options)) {
      if (event.case === 'textDelta') controller.abort();
    }
  };
  await expect(work()).rejects.toThrow();
  await eventually(() => expect(gateway.entries.has('left')).toBe(true));
  const [charged] = gateway.entries.get('left')?.usages ?? [];
  expect(charged?.usage?.completionTokens).toBeGreaterThanOrEqual(3n);
  expect(charged?.usage?.promptTokens).toBeGreaterThan(5n);
});

test('requests that are cancelled at random points leave no slot, reservation, connection or timer', async () => {
  // A linear congruential generator (Numerical Recipes): the same points in each run.
  let state = 42;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const slowly: Responder = async (response) => {
    await later(random() * 4);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let count = 0; count < 4 && !response.destroyed; count++) {
      response.write(`data: ${JSON.stringify(content('word '))}\n\n`);
      await later(random() * 4);
    }
    for (const chunk of [finish('stop'), usage(5, 5)]) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    response.end();
  };
  const replies = [slowly, slowly, failed(503, {}), after(3, streamed([content('half ')]))];
  const server = await startFakeProvider((...call) => replies[Math.floor(random() * replies.length)]?.(...call));
  const timersBefore = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const gateway = await startTestGateway({
    models: [modelAt(server.url, 'gpt', { maxConcurrent: 8 }), modelAt(server.url, 'other', { maxConcurrent: 8 })],
    routes: [{ name: 'both', models: ['gpt', 'other'], order: 4 }],
    breaker: { failures: 1_000_000 },
    hedging: { delayMs: 3, maxShare: 1 },
    limits,
  });
  let left = soakCount;
  const lane = async () => {
    while (left-- > 0) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), random() * 30);
      const asked = gateway.ask({ model: 'both', midStreamPolicy: 2 }, { signal: controller.signal });
      await asked.then(
        () => {},
        () => {},
      );
      clearTimeout(timer);
    }
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  await expectNothingLeft(gateway);
  await eventually(() => expect(server.openReplies()).toBe(0));
  // What is open now is kept for the next request, and no more than there are slots.
  expect(await server.connections()).toBeLessThanOrEqual(24);
  await gateway[Symbol.asyncDispose]();
  await eventually(async () => expect(await server.connections()).toBe(0));
  await server[Symbol.asyncDispose]();
  await eventually(() => {
    const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    // The HTTP client's own timer, one for all of its connections, may continue.
    expect(timers).toBeLessThanOrEqual(timersBefore + 2);
  });
});
