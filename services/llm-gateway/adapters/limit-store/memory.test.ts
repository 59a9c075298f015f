import { expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { LimitStore, LimitStoreDeps } from '../../limits/limit-store.ts';
import { demandOf, limitStoreSuite, noon } from '../../suites/limit-store.suite.ts';

const create = (clock: () => number, settings: Record<string, number> = {}) =>
  createFromAdapter<LimitStore, LimitStoreDeps>(
    new URL('./', import.meta.url),
    'memory',
    settings,
    { clock, random: Math.random, log: createLogger('silent'), metrics: createMetrics() },
    'llm_gateway.limits.store',
  );

limitStoreSuite('memory', (clock) => create(clock));

test('keeps at most its number of scopes: it drops the least recently used one without requests in flight', async () => {
  const store = await create(() => noon, { max_scopes: 2 });
  const limits = { requestsPerMinute: 1 };
  const ask = (tenant: string, id: string) => store.reserve(demandOf(id, limits, { tenant }));
  await ask('a', 'a1');
  await ask('b', 'b1');
  await store.settle('b1', { tokens: 0, costMicros: 0 });
  await ask('c', 'c1');
  expect(await ask('a', 'a2')).toMatchObject({ admitted: false });
  expect(await ask('b', 'b2')).toMatchObject({ admitted: true });
  expect(await ask('a', 'a3')).toMatchObject({ admitted: false });
});
