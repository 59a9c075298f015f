import { parseArgs } from 'node:util';
import { type Fault, faults } from './link.ts';
import { linkedServices, linkedStores } from './matrix.ts';
import { type CellResult, describeCell, runCells, tableHead } from './run.ts';
import { startServiceWorld } from './service-world.ts';
import { startStoreWorld } from './store-world.ts';

// `npm run chaos`: every dependency of a question × every fault.

const help = `npm run chaos -- [dependency…] [--fault <name>]

Gives each dependency of a question each fault, asks, and compares what its caller sees with the matrix: how answers end, how many questions
wait for the dependency, and whether answers are whole again after the fault. On loopback, five minutes; fails if a cell differs.

  dependency  ${[...linkedServices, ...linkedStores].join(', ')}; default: all
  --fault     ${faults.join(', ')}; default: all
`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { fault: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
});

async function run(): Promise<number> {
  const isChosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  const chosen = (dependency: string, fault: Fault) =>
    isChosen(dependency) && (values.fault === undefined || values.fault === fault);
  const worlds = [
    { names: linkedServices, start: startServiceWorld },
    { names: linkedStores, start: startStoreWorld },
  ];
  const results: CellResult[] = [];
  process.stdout.write(`${tableHead}\n`);
  for (const { names, start } of worlds) {
    if (!names.some(isChosen)) continue;
    await using world = await start();
    const onCell = (result: CellResult) => process.stdout.write(`${describeCell(result)}\n`);
    results.push(...(await runCells(world, chosen, { onCell })));
  }
  const wrongCount = results.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(`${results.length} cells, ${wrongCount} wrong\n`);
  return results.length > 0 && wrongCount === 0 ? 0 : 1;
}

if (values.help) process.stdout.write(help);
else process.exitCode = await run();
