import { expect, test } from 'vitest';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { createCacheMetrics } from './metrics.ts';

test('hits of every layer have a first sample before the first hit', async () => {
  const { registry } = createCacheMetrics(createMetrics());
  const lines = (await registry.getSingleMetricAsString('ai_cache_hit_total')).split('\n');
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual(
    ['memory', 'durable', 'semantic', 'follow'].map((layer) => `ai_cache_hit_total{layer="${layer}"} 0`),
  );
});
