import { expect, test } from 'vitest';
import { doneOf, modelAt, startTestGateway, textOf } from '../testing/gateway.ts';
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

const says = (text: string, ...chunks: object[]) => streamed([content(text), ...chunks, finish('stop'), usage(10, 2)]);
const start = async (
  first: Responder,
  second: Responder,
  hedging: { delayMs?: number; maxShare: number } = { delayMs: 40, maxShare: 1 },
) => {
  const a = await startFakeProvider(first);
  const b = await startFakeProvider(second);
  const models = [modelAt(a.url, 'a'), modelAt(b.url, 'b')];
  const gateway = await startTestGateway({ models, hedging, maxAttempts: 2, breaker: { failures: 1000 } });
  return {
    a,
    b,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await a[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
    },
  };
};

test('a second target is called beside a slow first one; the faster one wins, the other is cancelled, and both are charged', async () => {
  await using it = await start(after(3000, says('late')), says('soon'));
  const responses = await it.gateway.ask({ requestId: 'hedged' });
  expect(textOf(responses)).toBe('soon');
  expect(doneOf(responses).attemptCount).toBe(2);
  await it.a.brokenOff;
  const charged = it.gateway.entries.get('hedged')?.usages ?? [];
  expect(charged.map(({ model }) => model).sort()).toEqual(['a', 'b']);
  expect(await it.gateway.metric('ragmesh_llm_hedge_total{result="second_won"}')).toBe(1);
});

test('a first target that answers in time is not hedged', async () => {
  await using it = await start(says('quick'), says('never'), { delayMs: 2000, maxShare: 1 });
  expect(textOf(await it.gateway.ask())).toBe('quick');
  expect(it.b.requests).toHaveLength(0);
});

test('the first target can still win', async () => {
  const second = Promise.withResolvers<void>();
  const first: Responder = async (...request) => {
    await second.promise;
    await says('first')(...request);
  };
  await using it = await start(first, () => second.resolve());
  expect(textOf(await it.gateway.ask())).toBe('first');
  await it.b.brokenOff;
  expect(await it.gateway.metric('ragmesh_llm_hedge_total{result="first_won"}')).toBe(1);
});

test('if one of the two fails, the other one decides', async () => {
  await using it = await start(after(200, says('first')), failed(500, {}));
  expect(textOf(await it.gateway.ask())).toBe('first');
  await using other = await start(after(100, failed(500, {})), after(200, says('second')));
  expect(textOf(await other.gateway.ask())).toBe('second');
});

test('no more than its share of the requests is hedged', async () => {
  await using it = await start(after(300, says('slow')), says('quick'), { delayMs: 5, maxShare: 0.25 });
  for (let count = 0; count < 8; count++) await it.gateway.ask();
  expect(it.b.requests).toHaveLength(2);
  expect(await it.gateway.metric('ragmesh_llm_hedge_total{result="share_reached"}')).toBe(6);
});

test('it is off by default', async () => {
  await using it = await start(after(150, says('slow')), says('quick'), { maxShare: 1 });
  expect(textOf(await it.gateway.ask())).toBe('slow');
  expect(it.b.requests).toHaveLength(0);
});
