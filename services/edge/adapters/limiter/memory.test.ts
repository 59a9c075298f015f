import { expect, test } from 'vitest';
import { createFromAdapter } from '#kit/adapters.ts';
import { createLogger } from '#kit/log.ts';
import { limiterSuite } from '../../limiter.suite.ts';
import type { Limiter, LimiterDeps } from '../../limiter.ts';

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
  expect(await limiter.take(bucket('b'))).toEqual({ admitted: true });
});
