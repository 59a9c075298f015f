import { createSqliteThreads } from '../sqlite/threads.ts';
import { changeOfStep, openWorld } from './image-world.ts';

// A process that changes the stores of a folder, step after step, and prints the number of each step when it is acknowledged. Arguments: the
// folder, the first step, the number of this process.

const [folder = '', first = '1', processNumber = '0'] = process.argv.slice(2);
let lastId = 0;
const world = await openWorld(folder, createSqliteThreads(1), () => `p${processNumber}i${++lastId}`);
for (let step = Number(first); step < 10_000; step++) {
  await world.apply(changeOfStep(step, step === Number(first) ? Number(processNumber) : 0));
  // A search loads the corpus, from its image if there is one.
  await world.find(1);
  process.stdout.write(`${step}\n`);
}
