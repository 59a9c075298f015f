import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type CacheConfigSchema, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { readConfig } from './config.ts';
import { cache } from './index.ts';

const read = (init: MessageInitShape<typeof CacheConfigSchema> = {}) =>
  readConfig(create(ConfigSchema, { cache: init as never }));

test('without settings, answers are kept in memory and on the disk of this machine', () => {
  expect(read()).toMatchObject({
    enabled: true,
    durableStore: { adapter: 'sqlite' },
    flightStore: { adapter: 'memory' },
    durableTimeoutMs: 100,
    ttlMs: 86_400_000,
    staleMs: 600_000,
    refusalTtlMs: 300_000,
    semantic: { enabled: true, store: { adapter: 'sqlite' }, shadowShare: 0.01 },
  });
});

test('replicas that share their answers share their generations and questions by the same settings', () => {
  const durableStore = { adapter: 'redis', settings: { url: 'redis://cache:6379' } };
  expect(read({ durableStore })).toMatchObject({
    durableStore: { ...durableStore, path: 'cache.durable_store' },
    flightStore: { ...durableStore, path: 'cache.durable_store' },
    semantic: { store: durableStore },
    durableTimeoutMs: 50,
  });
  const flightStore = { adapter: 'memory' };
  expect(read({ durableStore, flightStore }).flightStore.adapter).toBe('memory');
});

test('stale answers can be switched off, and a refusal is never kept longer than an answer', () => {
  expect(read({ staleSeconds: 0 }).staleMs).toBe(0);
  expect(read({ ttlSeconds: 60, refusalTtlSeconds: 600 }).refusalTtlMs).toBe(60_000);
});

test.each([
  ['cache.durable_store.adapter', { durableStore: { adapter: 'punched-cards' } }],
  ['cache.flight_store.adapter', { flightStore: { adapter: 'sqlite' } }],
  ['cache.durable_store.settings.ulr', { durableStore: { adapter: 'redis', settings: { ulr: 'redis://x' } } }],
])('a wrong %s stops the start', async (path, config) => {
  await expect(startTestMesh([cache], { config: { cache: config } })).rejects.toThrow(path);
});
