import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LLMLimitsConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { createLimits } from './limits/create-limits.ts';
import { openLimitState } from './limits/limit-state.ts';
import type { Limits, Reservation } from './limits/limits.ts';
import type { Limited } from './limits/rules/rules.ts';
import { noon } from './suites/limit-store.suite.ts';

// The layers of limits: tenant, cost centre, key, user and model.

type Config = MessageInitShape<typeof LLMLimitsConfigSchema>;

const open = async (given: Config, clock: () => number = () => noon): Promise<Limits> => {
  const config = create(LLMLimitsConfigSchema, given);
  const deps = { clock, random: Math.random, log: createLogger('silent'), metrics: createMetrics() };
  const state = await openLimitState(config, deps);
  const limits = createLimits(config, { ...deps, store: state.connect().port });
  onTestFinished(async () => {
    await limits.close();
    await state.close();
  });
  return limits;
};
const ann: Limited = { tenant: 'acme', key: 'k1', user: 'ann', model: 'gpt' };
const forever = new AbortController().signal;
const admit = (limits: Limits, who: Partial<Limited> = {}, costMicros = 10n) =>
  limits.admit({ requestId: 'r', ...ann, ...who, amount: () => ({ tokens: 10, costMicros }) }, forever);
const refusal = async (admission: Promise<unknown>) => {
  const error = await admission.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return errorInfoOf(error)?.metadata;
};
const daily = (costMicrosPerDay: bigint) => ({ costMicrosPerDay });

test.each<[string, Config, Partial<Limited>, Partial<Limited>, string]>([
  ['user', { users: { ann: daily(15n) } }, { key: 'k2', model: 'other' }, { user: 'bob' }, 'ann'],
  ['user', { defaultUser: daily(15n) }, { key: 'k2' }, { user: 'bob' }, 'ann'],
  ['model', { models: { gpt: daily(15n) } }, { key: 'k2', user: 'bob' }, { model: 'other' }, 'gpt'],
  ['key', { keys: { k1: daily(15n) } }, { user: 'bob', model: 'other' }, { key: 'k2' }, 'k1'],
  [
    'cost_centre',
    { costCentres: { sales: { limit: daily(15n), keys: ['k1', 'k2'], users: ['bob'] } } },
    { key: 'k3', user: 'bob' },
    { key: 'k3' },
    'sales',
  ],
])('a budget of a %s counts its own requests and no others', async (scope, config, same, other, name) => {
  const limits = await open(config);
  (await admit(limits)).settle({ tokens: 10, costMicros: 10n });
  const refused = { scope, name, limit: 'cost_micros_per_day', value: '15', remaining: '5' };
  expect(await refusal(admit(limits, same))).toMatchObject(refused);
  await admit(limits, other);
  await admit(limits, { ...same, tenant: 'bolt' });
});

test('a raise is in force until its time, and what was spent stays spent', async () => {
  let now = noon;
  const raise = { scope: 'key', name: 'k1', limit: daily(30n), until: timestampFromMs(noon + 3_600_000) };
  const limits = await open({ keys: { k1: daily(15n) }, raises: [raise] }, () => now);
  for (let count = 0; count < 3; count++) (await admit(limits)).settle({ tokens: 10, costMicros: 10n });
  expect(await refusal(admit(limits))).toMatchObject({ value: '30', remaining: '0' });
  now += 3_600_000;
  expect(await refusal(admit(limits, {}, 1n))).toMatchObject({
    value: '15',
    remaining: '0',
    resets_at: '2026-11-16T00:00:00.000Z',
  });
});

const layered = (budgets: readonly number[]) => {
  const [tenant = 0n, user = 0n, key = 0n, model = 0n, centre = 0n] = budgets.map((each) => BigInt(each));
  return {
    defaultTenant: daily(tenant),
    defaultUser: daily(user),
    defaultKey: daily(key),
    models: { gpt: daily(model) },
    costCentres: { sales: { limit: daily(centre), keys: ['k0', 'k1'], users: ['u1'] } },
  };
};
const budget = fc.integer({ min: 1, max: 60 });
const caller = fc.record({
  user: fc.constantFrom('u0', 'u1', 'u2'),
  key: fc.constantFrom('k0', 'k1', 'k2'),
  model: fc.constantFrom('gpt', 'other'),
  reserved: fc.integer({ min: 1, max: 12 }),
  used: fc.integer({ min: 0, max: 12 }),
});
type Caller = { user: string; key: string; model: string; reserved: number; used: number };

/** Lets callers in concurrently over all processes, and checks every layer: what is reserved or spent is never more than its budget. */
async function checkNoOvershoot(processes: readonly Limits[], budgets: readonly number[], callers: readonly Caller[]) {
  const [tenant = 0, user = 0, key = 0, model = 0, centre = 0] = budgets;
  const isInCentre = (each: Caller) => each.key === 'k0' || each.key === 'k1' || each.user === 'u1';
  const sums = new Map<string, number>();
  const layersOf = (each: Caller): [string, number][] => [
    ['tenant', tenant],
    [`user ${each.user}`, user],
    [`key ${each.key}`, key],
    ...(each.model === 'gpt' ? ([['model', model]] as [string, number][]) : []),
    ...(isInCentre(each) ? ([['centre', centre]] as [string, number][]) : []),
  ];
  const open: { each: Caller; reservation: Reservation }[] = [];
  await Promise.all(
    callers.map(async (each, index) => {
      const limits = processes[index % processes.length] as Limits;
      const reservation = await admit(limits, each, BigInt(each.reserved)).catch(() => undefined);
      if (reservation === undefined) return;
      open.push({ each, reservation });
      for (const [name] of layersOf(each)) sums.set(name, (sums.get(name) ?? 0) + each.reserved);
    }),
  );
  const check = () => {
    for (const each of callers)
      for (const [name, most] of layersOf(each)) expect(sums.get(name) ?? 0).toBeLessThanOrEqual(most);
  };
  check();
  // What a request has not used is free again, and what it has used stays.
  for (const { each, reservation } of open) {
    const used = Math.min(each.used, each.reserved);
    reservation.settle({ tokens: 1, costMicros: BigInt(used) });
    for (const [name] of layersOf(each)) sums.set(name, (sums.get(name) ?? 0) + used - each.reserved);
  }
  for (const each of callers) {
    const limits = processes[0] as Limits;
    const left = Math.min(...layersOf(each).map(([name, most]) => most - (sums.get(name) ?? 0)));
    await expect.poll(async () => refusal(admit(limits, each, BigInt(left + 1))), { timeout: 20_000 }).toBeDefined();
  }
}

test('no layer is overshot by any number of concurrent callers', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(budget, budget, budget, budget, budget),
      fc.array(caller, { maxLength: 40 }),
      async (all, callers) => {
        await checkNoOvershoot([await open(layered(all))], all, callers);
      },
    ),
    { numRuns: 60 },
  );
});

describe.skipIf(!hasRedis && skipped('redis', 1, redisAdvice))('two processes over a real Redis', () => {
  test('overshoot no layer together', async () => {
    await using server = await startRedis();
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(budget, budget, budget, budget, budget),
        fc.array(caller, { maxLength: 30 }),
        async (all, callers) => {
          const settings = {
            url: `redis://127.0.0.1:${server.port}`,
            key_prefix: `${Math.random()}:`,
            timeout_ms: 10_000,
          };
          const config = { ...layered(all), store: { adapter: 'redis', settings } };
          await checkNoOvershoot(await Promise.all([open(config), open(config)]), all, callers);
        },
      ),
      { numRuns: 15 },
    );
  });
});
