import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['mesh/**/*.test.ts', 'services/**/*.test.ts', 'services/**/*.test.tsx'],
    exclude: ['**/node_modules/**', '**/*.live.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
