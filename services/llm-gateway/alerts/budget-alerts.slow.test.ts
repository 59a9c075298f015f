import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { LLMBudgetAlertsSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import type { LimitStore, LimitStoreDeps, Scope } from '../limits/limit-store.ts';
import { limitsOf, noon } from '../suites/limit-store.suite.ts';
import { eventually, modelAt, startTestGateway } from '../testing/gateway.ts';
import { content, doneMark, finish, startFakeProvider, streamed, usage } from '../testing/provider-server.ts';
import { createBudgetAlerts } from './budget-alerts.ts';

const secret = 'a secret of sixteen or more';
const price = { version: '2026-11', currency: 'USD', prices: [{ model: 'gpt', prompt: 1, completion: 1 }] };

/** A receiver of alerts. `fail`: answers that many requests with 503. */
async function startReceiver(fail = 0) {
  const alerts: Record<string, unknown>[] = [];
  let failures = fail;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => {
      body += data;
    });
    request.on('end', () => {
      const [, seconds, signature] = /^t=(\d+),v1=(.+)$/.exec(String(request.headers['x-ragmesh-signature'])) ?? [];
      const expected = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
      const alert = JSON.parse(body);
      const isGenuine = signature === expected && request.headers['idempotency-key'] === alert.id;
      if (isGenuine && failures-- <= 0) alerts.push(alert);
      response.writeHead(!isGenuine ? 400 : failures >= 0 ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { alerts, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts` };
}

const closings: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

interface Replicas {
  /** Opens a store over the counters of all replicas. */
  store: LimitStore;
  clock(): number;
}

/** Alerts of one replica. */
function replica({ store, clock }: Replicas, url: string, percents: number[] = [], attempts = 1) {
  const deps = { store, clock, fetch, currency: () => 'USD', log: createLogger('silent'), metrics: createMetrics() };
  const alerts = createBudgetAlerts({ ...deps, random: Math.random, checkMs: 10 });
  alerts.use(create(LLMBudgetAlertsSchema, { url, secret, percents, attempts, timeoutMs: 5000 }));
  closings.push(() => alerts.close());
  return alerts;
}

let ids = 0;
async function spend(store: LimitStore, scope: Scope, costMicros: number) {
  const id = `r${++ids}`;
  await store.reserve({ id, tenant: 'acme', scopes: [scope], tokens: 0, costMicros });
  await store.settle(id, { tokens: 0, costMicros });
}
const daily = { name: 'cost_centre:sales', limits: limitsOf({ costMicrosPerDay: 100 }) };

describe.each([
  ['memory', true],
  ['redis', hasRedis || skipped('redis', 4, redisAdvice)],
] as const)('over counters in %s', (adapter, isThere) => {
  const openStores = async (count: number, now: { ms: number }): Promise<Replicas[]> => {
    const server = adapter === 'redis' ? await startRedis() : undefined;
    if (server !== undefined) closings.push(() => server[Symbol.asyncDispose]());
    const open = async () => {
      const settings: JsonObject = server
        ? { url: `redis://127.0.0.1:${server.port}`, timeout_ms: 5000, lease_ms: 3_600_000 }
        : {};
      const deps = { clock: () => now.ms, random: Math.random, log: createLogger('silent'), metrics: createMetrics() };
      const folder = new URL('../adapters/limit-store/', import.meta.url);
      const store = await createFromAdapter<LimitStore, LimitStoreDeps>(folder, adapter, settings, deps, 'store');
      closings.push(() => store.close());
      return { store, clock: () => now.ms };
    };
    // The workers of a group use the counters of its owner.
    const shared = await open();
    if (adapter === 'memory') return Array.from({ length: count }, () => shared);
    return [shared, ...(await Promise.all(Array.from({ length: count - 1 }, open)))];
  };

  test.runIf(isThere)('a threshold is reported once a day, however many replicas notice it', async () => {
    const { alerts, url } = await startReceiver();
    const now = { ms: noon };
    const stores = await openStores(3, now);
    const replicas = stores.map((each) => replica(each, url));
    const { store } = stores[0] as Replicas;
    const noticeAll = async () => {
      for (let round = 0; round < 3; round++) {
        for (const each of replicas) each.spent('acme', [daily]);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    };
    await spend(store, daily, 79);
    await noticeAll();
    expect(alerts).toEqual([]);
    await spend(store, daily, 5);
    for (const each of replicas) each.spent('acme', [daily]);
    await eventually(() => expect(alerts.length).toBe(1));
    await noticeAll();
    expect(alerts).toEqual([
      {
        ...{ type: 'budget_threshold', tenant: 'acme', layer: 'cost_centre', name: 'sales', currency: 'USD' },
        ...{ limit: 'cost_micros_per_day', limit_micros: 100, used_micros: 84, percent: 80, window: '2026-11-15' },
        resets_at: '2026-11-16T00:00:00.000Z',
        id: 'acme/cost_centre/sales/cost_micros_per_day/2026-11-15/100/80',
      },
    ]);
    now.ms += 24 * 3_600_000;
    await spend(store, daily, 90);
    for (const each of replicas) each.spent('acme', [daily]);
    await eventually(() => expect(alerts.length).toBe(2));
    await noticeAll();
    expect(alerts.map(({ window }) => window)).toEqual(['2026-11-15', '2026-11-16']);
  });

  test.runIf(isThere)('a report that fails is sent after a later request, once', async () => {
    const { alerts, url } = await startReceiver(2);
    const stores = await openStores(2, { ms: noon });
    const replicas = stores.map((each) => replica(each, url));
    await spend((stores[0] as Replicas).store, daily, 100);
    await eventually(() => {
      for (const each of replicas) each.spent('acme', [daily]);
      expect(alerts.length).toBe(1);
    });
    for (const each of replicas) each.spent('acme', [daily]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(alerts).toMatchObject([{ percent: 100 }]);
  });
});

test('what requests spend is reported, and a budget that refuses one as used up; a request that alone is too large is none', async () => {
  const { alerts, url } = await startReceiver();
  await using provider = await startFakeProvider(
    streamed([content('yes'), finish('stop'), usage(5000, 3500), doneMark]),
  );
  const limits = { users: { ann: { costMicrosPerMonth: 9000n } } };
  await using gateway = await startTestGateway(
    {
      models: [modelAt(provider.url)],
      prices: price,
      limits: { ...limits, alerts: { url, secret, percents: [50, 80, 100], timeoutMs: 5000, attempts: 1 } },
    },
    { clock: () => noon },
  );
  await expect(gateway.ask({ maxTokens: 20_000 })).rejects.toThrow('the request alone');
  await gateway.ask();
  // Of several thresholds that are reached together, the highest.
  await eventually(() => expect(alerts.map(({ percent }) => percent)).toEqual([80]));
  expect(alerts[0]).toMatchObject({
    layer: 'user',
    name: 'ann',
    window: '2026-11',
    used_micros: 8500,
    currency: 'USD',
  });
  await expect(gateway.ask()).rejects.toThrow('the limit of this user is 9000');
  await eventually(() => expect(alerts.map(({ percent }) => percent)).toEqual([80, 100]));
  // It is counted when the receiver's reply has come.
  await eventually(async () => expect(await gateway.metric('ragmesh_llm_budget_alerts_total{outcome="sent"}')).toBe(2));
});
