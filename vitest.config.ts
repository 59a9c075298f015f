import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// `npm test` needs nothing but the clone; `npm run test:live` (mode "live") runs against the real servers that it finds.
export default defineConfig(({ mode }) => ({
  test: {
    include:
      mode === 'live'
        ? ['mesh/**/*.live.test.ts', 'services/**/*.live.test.ts']
        : ['mesh/**/*.test.ts', 'services/**/*.test.ts', 'services/**/*.test.tsx'],
    exclude: ['**/node_modules/**', ...(mode === 'live' ? [] : ['**/*.live.test.ts'])],
    // Many tests wait, for a clock or a server: two at once also on a small machine, where the default is one.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: mode === 'live' ? 300_000 : 60_000,
  },
}));
