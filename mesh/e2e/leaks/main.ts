import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { probe, startMarkedMesh } from './probes.ts';

// `npm run leaks`: random principals × queries × rpcs over every face.

const help = `npm run leaks -- [--probes n] [--seed n]

Starts a mesh with documents of four tenants and eight sets of groups, and looks in every reply for what its caller may not see. Fails if it
finds anything.

  --probes <n>   default: 100000
  --seed <n>     makes the same probes again; default: a random one, which is printed
`;
const { values } = parseArgs({
  options: {
    probes: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

async function run(): Promise<number> {
  const seed = values.seed === undefined ? randomInt(2 ** 31 - 1) : Number(values.seed);
  const count = Number(values.probes);
  process.stdout.write(`seed ${seed}, ${count} probes\n`);
  const startedAt = performance.now();
  await using marked = await startMarkedMesh();
  const report = await probe(marked, count, seed, ({ probeCount, leaks, failures }) => {
    if (probeCount % 5000 !== 0) return;
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    process.stdout.write(`${probeCount} probes, ${leaks.length} leaks, ${failures.length} failures, ${seconds} s\n`);
  });
  const { probeCount, seenCount, leaks, failures } = report;
  for (const line of [...leaks, ...failures].slice(0, 40)) process.stdout.write(`${line}\n`);
  process.stdout.write(
    `${probeCount} probes, ${seenCount} with a document, ${leaks.length} leaks, ${failures.length} failures\n`,
  );
  return leaks.length + failures.length === 0 ? 0 : 1;
}

if (values.help) process.stdout.write(help);
else process.exitCode = await run();
