import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
// Each test file is a process of its own: the code that they share is compiled once.
import './mesh/kit/host/compiled-code.mjs';

const folders = ['mesh', 'services'];
const named = (...endings: string[]) => folders.flatMap((folder) => endings.map((ending) => `${folder}/**/*${ending}`));
/** Tests against real servers that may be absent, and tests that take minutes. */
const special = named('.live.test.ts', '.slow.test.ts');

// `npm test` needs nothing but the clone. `npm run test:all` adds what takes minutes or real servers, of those that it finds;
// `npm run test:live` runs the latter alone.
export default defineConfig(({ mode }) => ({
  test: {
    include: { live: named('.live.test.ts'), all: special }[mode] ?? named('.test.ts', '.test.tsx'),
    exclude: ['**/node_modules/**', ...(mode === 'live' || mode === 'all' ? [] : special)],
    // Many tests wait for a clock or a server: at least two run concurrently, also if the machine has one core.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 60_000,
    hookTimeout: mode === 'live' || mode === 'all' ? 300_000 : 120_000,
  },
}));
