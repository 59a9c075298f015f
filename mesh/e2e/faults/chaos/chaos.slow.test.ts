import { expect, test } from 'vitest';
import type { Fault } from './link.ts';
import type { linkedServices, linkedStores } from './matrix.ts';
import { describeCell, runCells } from './run.ts';
import { startServiceWorld } from './service-world.ts';
import { startStoreWorld } from './store-world.ts';
import type { World } from './world.ts';

/** The fault of each dependency that shows most; `npm run chaos` runs the other cells, and counts waits. */
const chosenFaults: Record<(typeof linkedServices)[number] | (typeof linkedStores)[number], Fault> = {
  cache: 'hung',
  retrieval: 'lying',
  embedding: 'flapping',
  rerank: 'full',
  'llm-gateway': 'hung',
  audit: 'hung',
  provider: 'lying',
  redis: 'hung',
  postgres: 'dead',
};

async function run(start: () => Promise<World>) {
  await using world = await start();
  const chosen = (dependency: string, fault: Fault) => chosenFaults[dependency as keyof typeof chosenFaults] === fault;
  const results = await runCells(world, chosen, { countsWaits: false });
  expect(results.map(({ dependency }) => dependency)).toEqual(world.rows.map(({ dependency }) => dependency));
  expect(results.filter(({ problems }) => problems.length > 0).map(describeCell)).toEqual([]);
}

test('each service of a question may fail, and answers end as the matrix says', async () => {
  await run(startServiceWorld);
}, 300_000);

test('so may each store and the model provider', async () => {
  await run(startStoreWorld);
}, 300_000);
