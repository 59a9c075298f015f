import { expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { Limiter, LimiterDeps } from '../../admission/limiter.ts';
import { limiterSuite } from '../../suites/limiter.suite.ts';

const create = (deps: LimiterDeps, settings: Record<string, number> = {}) =>
  createFromAdapter<Limiter, LimiterDeps>(new URL('./', import.meta.url), 'memory', settings, deps, 'edge.limiter');

limiterSuite('memory', create);

test('keeps no more buckets than it may, and those in use longest', async () => {
  const limiter = await create({ clock: () => 0, log: createLogger('silent') }, { max_buckets: 2 });
  const bucket = (key: string) => [{ key, perSecond: 1, burst: 1 }];
  await limiter.take(bucket('a'));
  await limiter.take(bucket('b'));
  expect(await limiter.take(bucket('a'))).toMatchObject({ admitted: false });
  await limiter.take(bucket('c'));
  expect(await limiter.take(bucket('a'))).toMatchObject({ admitted: false });
  expect(await limiter.take(bucket('b'))).toMatchObject({ admitted: true });
});
