import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
// Processes of tests share compiled code.
import './mesh/kit/host/compiled-code.mjs';

const folders = ['mesh', 'services'];
const named = (...endings: string[]) => folders.flatMap((folder) => endings.map((ending) => `${folder}/**/*${ending}`));
/** Tests against real servers that may be absent, and tests that take minutes. */
const special = named('.live.test.ts', '.slow.test.ts');
/** Tests of what is decided once in a process: each needs a process of its own. */
const alone = named('.alone.test.ts');
const others = ['**/node_modules/**'];

// `npm test` needs nothing but the clone. `npm run test:all` adds what takes minutes or real servers, of those that it finds;
// `npm run test:live` runs the latter alone.
export default defineConfig(({ mode }) => ({
  test: {
    // Many tests wait for a clock or a server: at least two run concurrently, also if the machine has one core.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 60_000,
    hookTimeout: mode === 'live' || mode === 'all' ? 300_000 : 120_000,
    projects: {
      live: [{ extends: true as const, test: { name: 'live', include: named('.live.test.ts') } }],
      all: [{ extends: true as const, test: { name: 'all', include: special } }],
    }[mode] ?? [
      // The code that test files share is loaded once: a third of the time of a run.
      {
        extends: true as const,
        test: {
          name: 'shared',
          include: named('.test.ts', '.test.tsx'),
          exclude: [...others, ...special, ...alone],
          isolate: false,
        },
      },
      { extends: true as const, test: { name: 'alone', include: alone } },
    ],
  },
}));
