import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { LimitStore, LimitStoreDeps } from '../../limits/limit-store.ts';
import { createMemoryStore } from '../../limits/memory-store.ts';

/** Counters in the memory of this process: each replica counts alone, and a restart resets the counters. */
export const adapter = defineAdapter({
  settings: {
    max_scopes: z.int().min(2).max(10_000_000).describe('Tenants and keys that are counted at a time').default(100_000),
  },
  create: ({ max_scopes }, deps: LimitStoreDeps): LimitStore => createMemoryStore(deps, max_scopes),
});
