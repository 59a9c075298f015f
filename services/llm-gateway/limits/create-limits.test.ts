import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { LLMLimitsConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { noon } from '../suites/limit-store.suite.ts';
import { createLimits } from './create-limits.ts';
import { openLimitState } from './limit-state.ts';
import type { AdmissionRequest, Limits, Reservation, ReservationAmount } from './limits.ts';

type Config = MessageInitShape<typeof LLMLimitsConfigSchema>;

const configOf = (config: Config) => create(LLMLimitsConfigSchema, config);
const open = async (config: Config | undefined, clock: () => number = () => noon): Promise<Limits> => {
  const deps = { clock, random: Math.random, log: createLogger('silent'), metrics: createMetrics() };
  const state = await openLimitState(config && configOf(config), deps);
  const { port: store } = state.connect();
  const limits = createLimits(config && configOf(config), { ...deps, store });
  onTestFinished(async () => {
    await limits.close();
    await state.close();
  });
  return limits;
};
type Parts = Partial<AdmissionRequest & ReservationAmount>;
const requestOf = (parts: Parts = {}): AdmissionRequest => {
  const { tokens, costMicros, ...named } = { tokens: 10, costMicros: 10n, ...parts };
  return {
    requestId: 'r',
    tenant: 'acme',
    key: '',
    user: 'ann',
    model: 'm',
    ...named,
    amount: () => ({ tokens, costMicros }),
  };
};
const forever = new AbortController().signal;
const admit = (limits: Limits, parts: Parts = {}, signal = forever) => limits.admit(requestOf(parts), signal);
const refusal = async (admission: Promise<unknown>) => {
  const error = await admission.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const { code, rawMessage } = ConnectError.from(error);
  const { reason, metadata } = errorInfoOf(error) ?? {};
  const retry = (error as ConnectError).findDetails(RetryInfoSchema)[0]?.retryDelay;
  const retryMs = retry && Number(retry.seconds) * 1000 + retry.nanos / 1e6;
  return { code, reason, metadata, retryMs, message: rawMessage };
};
const nothing = { tokens: 0, costMicros: 0n };
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('without limits everybody passes, and is counted', async () => {
  const limits = await open(undefined);
  const reservations = await Promise.all(Array.from({ length: 100 }, () => admit(limits, { costMicros: undefined })));
  expect(limits.load).toEqual({ admitted: 100, waiting: 0 });
  for (const reservation of reservations) for (let count = 0; count < 2; count++) reservation.settle(nothing);
  expect(limits.load).toEqual({ admitted: 0, waiting: 0 });
});

test('a refusal names the limit and says when to come again', async () => {
  const limits = await open({ defaultTenant: { requestsPerMinute: 1n }, keys: { k: { costMicrosPerDay: 15n } } });
  (await admit(limits, { key: 'k' })).settle({ tokens: 10, costMicros: 10n });
  expect(await refusal(admit(limits))).toEqual({
    code: Code.ResourceExhausted,
    reason: 'RATE_LIMITED',
    metadata: {
      limit: 'requests_per_minute',
      scope: 'tenant',
      name: 'acme',
      value: '1',
      remaining: '0',
      resets_at: new Date(noon + 65_000).toISOString(),
    },
    retryMs: 65_000,
    message: 'the limit of this tenant is 1 requests a minute: try again in 65 s',
  });
  expect(await refusal(admit(limits, { key: 'k' }))).toMatchObject({
    reason: 'BUDGET_EXCEEDED',
    metadata: { limit: 'cost_micros_per_day', scope: 'key' },
    retryMs: 12 * 3600 * 1000,
  });
  expect(await refusal(admit(limits, { tenant: 'bolt', key: 'k', costMicros: 16n }))).toMatchObject({
    reason: 'BUDGET_EXCEEDED',
    retryMs: undefined,
    message: expect.stringContaining('the request alone may use 16'),
  });
});

test('a tenant or key has its own limits instead of the default ones, also if it has none', async () => {
  const limits = await open({
    defaultTenant: { requestsPerMinute: 1n },
    tenants: { big: { requestsPerMinute: 3n }, free: {} },
    defaultKey: { requestsPerMinute: 2n },
  });
  const admissions = async (parts: Partial<AdmissionRequest>) => {
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => admit(limits, parts)));
    return results.filter(({ status }) => status === 'fulfilled').length;
  };
  expect(await admissions({ tenant: 'acme' })).toBe(1);
  expect(await admissions({ tenant: 'big' })).toBe(3);
  expect(await admissions({ tenant: 'free' })).toBe(5);
  expect(await admissions({ tenant: 'free', key: 'a' })).toBe(2);
  expect(await admissions({ tenant: 'free', key: 'b' })).toBe(2);
  expect(await admissions({ tenant: 'other', key: 'a' })).toBe(1);
});

test('a model without a price is refused under a budget of money', async () => {
  const limits = await open({ tenants: { acme: { costMicrosPerMonth: 1000n } } });
  expect(await refusal(admit(limits, { costMicros: undefined, model: 'gpt' }))).toMatchObject({
    code: Code.FailedPrecondition,
    reason: 'MODEL_UNPRICED',
    metadata: { model: 'gpt' },
  });
  await admit(limits, { costMicros: undefined, tenant: 'bolt' });
  expect(limits.load.admitted).toBe(1);
});

test('those that only a slot is missing for wait in order, and get it when one comes free', async () => {
  const limits = await open({ defaultTenant: { maxConcurrent: 1 } });
  const first = await admit(limits);
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (number) => {
    const reservation = await admit(limits);
    order.push(number);
    reservation.settle(nothing);
  });
  await turn();
  expect(limits.load).toEqual({ admitted: 1, waiting: 3 });
  (await admit(limits, { tenant: 'bolt' })).settle(nothing);
  first.settle(nothing);
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3]);
  expect(limits.load).toEqual({ admitted: 0, waiting: 0 });
});

test('a key that has to wait does not hold up another key of its tenant', async () => {
  const limits = await open({ defaultTenant: { maxConcurrent: 3 }, keys: { slow: { maxConcurrent: 1 } } });
  const slow = await admit(limits, { key: 'slow' });
  const second = admit(limits, { key: 'slow' });
  await turn();
  const others = await Promise.all([admit(limits, { key: 'x' }), admit(limits)]);
  const last = admit(limits, { key: 'x' });
  await turn();
  expect(limits.load).toEqual({ admitted: 3, waiting: 2 });
  others[0]?.settle(nothing);
  (await last).settle(nothing);
  slow.settle(nothing);
  (await second).settle(nothing);
  others[1]?.settle(nothing);
  expect(limits.load).toEqual({ admitted: 0, waiting: 0 });
});

test('a full queue refuses, but no tenant fills it for the others', async () => {
  const limits = await open({ defaultTenant: { maxConcurrent: 1 }, queueSize: 4 });
  await admit(limits);
  const bolt = await admit(limits, { tenant: 'bolt' });
  const greedy = Array.from({ length: 5 }, () => refusal(admit(limits)));
  await turn();
  const late = admit(limits, { tenant: 'bolt' });
  expect(await greedy[4]).toMatchObject({
    reason: 'RATE_LIMITED',
    metadata: { limit: 'max_concurrent' },
    retryMs: 1000,
  });
  expect(await greedy[3]).toMatchObject({ message: expect.stringContaining('too many requests wait already') });
  expect(limits.load.waiting).toBe(4);
  bolt.settle(nothing);
  await late;
});

test('no request waits longer than allowed, or after its caller has left', async () => {
  const limits = await open({ defaultTenant: { maxConcurrent: 1 }, queueWaitMs: 30 });
  const first = await admit(limits);
  const caller = new AbortController();
  const gone = admit(limits, {}, caller.signal).catch((error: unknown) => error);
  const waited = refusal(admit(limits));
  caller.abort(new Error('left'));
  expect(await gone).toEqual(new Error('left'));
  expect(await waited).toMatchObject({ metadata: { limit: 'max_concurrent' }, retryMs: 1000 });
  expect(limits.load).toEqual({ admitted: 1, waiting: 0 });
  first.settle(nothing);
  (await admit(limits)).settle(nothing);
  await expect(admit(limits, {}, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
});

test('new limits apply immediately, also to waiting requests; reservations stay', async () => {
  const limits = await open({ defaultTenant: { maxConcurrent: 1, tokensPerMinute: 100n } });
  await admit(limits, { tokens: 60 });
  const waiting = admit(limits, { tokens: 30 });
  await turn();
  limits.reconfigure(configOf({ defaultTenant: { maxConcurrent: 2, tokensPerMinute: 100n } }));
  await waiting;
  expect(await refusal(admit(limits, { tokens: 20 }))).toMatchObject({ metadata: { limit: 'tokens_per_minute' } });
  limits.reconfigure(undefined);
  await admit(limits, { tokens: 1_000_000 });
  expect(limits.load).toEqual({ admitted: 3, waiting: 0 });
  const other = configOf({ store: { adapter: 'redis', settings: { url: 'redis://localhost' } } });
  expect(() => limits.reconfigure(other)).toThrow('llm_gateway.limits.store: cannot change while the gateway runs');
});

test('a store that there is not, or bad settings of it, stop the start', async () => {
  await expect(open({ store: { adapter: 'etcd' } })).rejects.toThrow(
    /llm_gateway\.limits\.store\.adapter.*memory, redis/,
  );
  await expect(open({ store: { adapter: 'redis', settings: { url: 'http://here' } } })).rejects.toThrow(
    /llm_gateway\.limits\.store\.settings\.url/,
  );
});

test('an admitted request knows what is left of the minute, of the scope with the least left', async () => {
  const limits = await open({
    defaultTenant: { requestsPerMinute: 100n, tokensPerMinute: 5000n },
    keys: { k: { requestsPerMinute: 3n } },
  });
  await admit(limits, { key: 'k', tokens: 200 });
  const { requests, tokens } = await admit(limits, { key: 'k', tokens: 300 });
  expect(requests).toEqual({ limit: 3n, remaining: 1n, resetMs: 65_000 });
  expect(tokens).toEqual({ limit: 5000n, remaining: 4500n, resetMs: 65_000 });
  const { requests: unlimited } = await admit(await open({ defaultTenant: { maxConcurrent: 2 } }));
  expect(unlimited).toBeUndefined();
});

test('after close, waiting requests fail, and no request is admitted', async () => {
  const limits = await open({ defaultTenant: { maxConcurrent: 1 } });
  const first = await admit(limits);
  const waiting = refusal(admit(limits));
  await turn();
  await limits.close();
  expect(await waiting).toMatchObject({ code: Code.Unavailable });
  expect(await refusal(admit(limits))).toMatchObject({ code: Code.Unavailable });
  first.settle(nothing);
  expect(limits.load).toEqual({ admitted: 0, waiting: 0 });
});

/** Thousands of requests, each of which may go at any moment; afterwards everything is free again. */
async function storm(limits: readonly Limits[], requestCount: number, maxConcurrent: number): Promise<void> {
  const running = new Map<string, number>();
  let seed = 7;
  const random = () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const one = async (index: number) => {
    const tenant = `t${index % 4}`;
    const caller = new AbortController();
    const hops = Math.floor(random() * 8);
    const leave = async () => {
      for (let count = 0; count < hops; count++) await turn();
      caller.abort(new Error('gone'));
    };
    if (random() < 0.5) void leave();
    let reservation: Reservation | undefined;
    try {
      reservation = await admit(
        limits[index % limits.length] as Limits,
        { tenant, tokens: 5, key: `k${index % 3}` },
        caller.signal,
      );
    } catch (error) {
      if ((error as Error).message !== 'gone' && errorInfoOf(error)?.metadata.limit !== 'max_concurrent') throw error;
      return;
    }
    running.set(tenant, (running.get(tenant) ?? 0) + 1);
    expect(running.get(tenant)).toBeLessThanOrEqual(maxConcurrent);
    for (let count = 0; count < random() * 4; count++) await turn();
    running.set(tenant, (running.get(tenant) ?? 0) - 1);
    reservation.settle({ tokens: 3, costMicros: 1n });
  };
  for (let start = 0; start < requestCount; start += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => one(start + index)));
  }
  for (const each of limits) expect(each.load).toEqual({ admitted: 0, waiting: 0 });
}

const stormLimits: Config = {
  defaultTenant: { maxConcurrent: 3, costMicrosPerDay: 1_000_000_000n, tokensPerMinute: 1_000_000_000n },
  defaultKey: { maxConcurrent: 2 },
  queueSize: 50,
};

test('ten thousand requests that go at any moment leave nothing behind', async () => {
  const limits = await open(stormLimits);
  await storm([limits], 10_000, 3);
  await Promise.all(Array.from({ length: 2 }, (_, index) => admit(limits, { tenant: 't0', key: `k${index}` })));
});

test('of any number of concurrent callers, a budget admits exactly those that fit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 30 }), async (callers, budget) => {
      const limits = await open({ defaultTenant: { costMicrosPerDay: BigInt(budget * 10 + 9) } });
      const results = await Promise.allSettled(Array.from({ length: callers }, () => admit(limits)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(Math.min(callers, budget));
      expect(limits.load.admitted).toBe(Math.min(callers, budget));
    }),
    { numRuns: 50 },
  );
});

describe.skipIf(!hasRedis && skipped('redis', 2, redisAdvice))('two processes over a real Redis', () => {
  const store = (port: number, prefix: string) => ({
    adapter: 'redis',
    settings: { url: `redis://127.0.0.1:${port}`, key_prefix: prefix, timeout_ms: 5000 },
  });

  test('let in those that a budget has room for, and no more', async () => {
    await using server = await startRedis();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 30 }), async (callers, budget) => {
        const config = { store: store(server.port, `${callers}-${budget}-${Math.random()}:`) };
        const limits = { defaultTenant: { costMicrosPerDay: BigInt(budget * 10 + 9) } };
        const both = await Promise.all([open({ ...config, ...limits }), open({ ...config, ...limits })]);
        const admissions = Array.from({ length: callers }, (_, index) => admit(both[index % 2] as Limits));
        const results = await Promise.allSettled(admissions);
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(Math.min(callers, budget));
        await Promise.all(both.map((each) => each.close()));
      }),
      { numRuns: 15 },
    );
  });

  test('give each other their slots, and leave nothing behind', async () => {
    await using server = await startRedis();
    const config = { ...stormLimits, store: store(server.port, 'storm:') };
    const both = await Promise.all([open(config, Date.now), open(config, Date.now)]);
    await storm(both, 1000, 3);
    const held = await Promise.all([admit(both[0], { tenant: 't1', key: 'a' }), admit(both[0], { tenant: 't1' })]);
    held.push(await admit(both[0], { tenant: 't1' }));
    const other = admit(both[1], { tenant: 't1' });
    await expect.poll(() => both[1].load.waiting).toBe(1);
    held[0]?.settle(nothing);
    (await other).settle(nothing);
  });
});

test('the cost centre that names the key pays, otherwise the one that names the user', async () => {
  const limits = await open({
    costCentres: {
      support: { limit: { requestsPerMinute: 10n }, keys: ['k1'], users: ['bob'] },
      sales: { limit: { requestsPerMinute: 10n }, users: ['ann', 'bob'] },
    },
  });
  const centreOf = (key: string, user: string) => limits.costCentreOf({ tenant: 'acme', key, user });
  expect([centreOf('k1', 'ann'), centreOf('', 'ann'), centreOf('k2', 'bob'), centreOf('', 'cid')]).toEqual([
    ...['support', 'sales', 'support', ''],
  ]);
});
