import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readSettings, secret } from './adapter-settings.ts';

const shape = {
  url: z.string(),
  password: secret().default(''),
  timeout_ms: z.int().min(10).max(1000).default(50),
  index_type: z.enum(['flat', 'graph']).default('flat'),
  hosts: z.array(z.string()).max(2).default([]),
  durable: z.boolean().default(true),
};
const read = (given: object) => () => readSettings(shape, given as never, 'cache.store.settings');

test('settings have their defaults, and cannot change', () => {
  const settings = read({ url: 'a' })();
  expect(settings).toEqual({ url: 'a', password: '', timeout_ms: 50, index_type: 'flat', hosts: [], durable: true });
  expect(Object.isFrozen(settings)).toBe(true);
});

describe('a bad setting is reported with its path, what it is and what is allowed', () => {
  test.each([
    [{}, 'cache.store.settings.url: is missing: a string is needed'],
    [{ url: 1 }, 'cache.store.settings.url: must be a string'],
    [{ url: 'a', timeout_ms: 5 }, 'cache.store.settings.timeout_ms: is 5; allowed: 10 to 1000'],
    [{ url: 'a', timeout_ms: 50.5 }, 'cache.store.settings.timeout_ms: must be a whole number; allowed: 10 to 1000'],
    [{ url: 'a', timeout_ms: '50' }, 'cache.store.settings.timeout_ms: must be a number; allowed: 10 to 1000'],
    [{ url: 'a', index_type: 'tree' }, 'cache.store.settings.index_type: is "tree"; allowed: flat, graph'],
    [{ url: 'a', durable: 'yes' }, 'cache.store.settings.durable: must be a boolean; allowed: true, false'],
    [{ url: 'a', hosts: ['b', 7] }, 'cache.store.settings.hosts.1: '],
    [{ ulr: 'a', url: 'a' }, 'cache.store.settings.ulr: unknown setting: did you mean "url"?; allowed: url, password'],
  ])('%j', (given, message) => {
    expect(read(given)).toThrow(message);
  });

  test('all of them together', () => {
    expect(read({ timeout_ms: 0, index_type: 'x' })).toThrow(
      /3 errors:\n.*url: is missing.*\n.*timeout_ms.*\n.*index_type/,
    );
  });

  test('and a secret is never shown', () => {
    expect(read({ url: 'a', password: 7777 })).not.toThrow(/7777/);
    expect(read({ url: ['hunter2'] })).not.toThrow(/hunter2/);
  });
});
