import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Outcome, parseOutcome } from './outcome.ts';
import { configPath, knownFailuresOf, knownFailuresPath, type Run, runs } from './runs.ts';
import { findGo, installSuite, type Suite, suiteVersion } from './suite.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const help = `npm run conformance -- [run …] [--trace]

Runs the public conformance suite of the Connect project (${suiteVersion}) against this project's gRPC and Connect stacks.
Needs Go, with which the suite is installed at the first run; without Go nothing is run.

runs:
${runs.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join('\n')}

  --trace      print the HTTP exchange of each failure
`;

const say = (line: string) => process.stderr.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    trace: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(help);
else process.exitCode = await main(positionals);

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !runs.some((run) => run.name === name));
  if (unknown !== undefined) {
    say(`no run "${unknown}": there are ${runs.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const go = findGo();
  if (go === undefined) {
    say('conformance: skipped, because Go is not installed (https://go.dev/dl); 0 of the public suite ran');
    return 0;
  }
  const suite = installSuite(go, root, say);
  const chosen = runs.filter(({ name }) => names.length === 0 || names.includes(name));
  const outcomes: [Run, Outcome][] = [];
  for (const run of chosen) {
    say(`${run.name}: ${run.title}`);
    const outcome = await execute(run, suite);
    for (const failure of outcome.failures) process.stdout.write(failure);
    outcomes.push([run, outcome]);
  }
  printTable(outcomes);
  return outcomes.every(([, outcome]) => outcome.failedCount + outcome.skippedCount === 0) ? 0 : 1;
}

async function execute(run: Run, suite: Suite): Promise<Outcome> {
  const known = knownFailuresPath(run);
  const program =
    run.stack === undefined
      ? ['mesh/conformance/client.ts', suite.image]
      : ['mesh/conformance/server.ts', suite.image, run.stack];
  const parameters = [
    ...['--mode', run.mode, '--conf', configPath(run), '-v', '--max-servers', '2'],
    ...(known === undefined ? [] : ['--known-failing', `@${known}`]),
    ...(values.trace ? ['--trace'] : []),
    ...['--', process.execPath, ...program],
  ];
  const runner = spawn(suite.runner, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(runner, 'close');
  const output: string[] = [];
  const read = async (stream: NodeJS.ReadableStream) => {
    for await (const line of createInterface({ input: stream })) {
      if (line.startsWith('Running ')) say(`  ${line}`);
      output.push(line);
    }
  };
  await Promise.all([read(runner.stdout), read(runner.stderr), ended]);
  return parseOutcome(`${output.join('\n')}\n`);
}

function printTable(outcomes: readonly [Run, Outcome][]): void {
  const columns = ['run', 'passed', 'failed', 'known failures', 'skipped'];
  const rows = outcomes.map(([run, outcome]) => [
    run.title,
    ...[outcome.runCount, outcome.passedCount, outcome.failedCount, outcome.knownCount, outcome.skippedCount].map(
      String,
    ),
  ]);
  const table = [['', ...columns], ...rows];
  const widths = table[0]?.map((_, index) => Math.max(...table.map((row) => row[index]?.length ?? 0))) ?? [];
  for (const row of table) {
    const cells = row.map((cell, index) =>
      index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0),
    );
    process.stdout.write(`${cells.join('  ')}\n`);
  }
  for (const [run] of outcomes) {
    for (const { pattern, reason } of knownFailuresOf(run)) {
      process.stdout.write(`known: ${run.name}: ${pattern}\n       ${reason}\n`);
    }
  }
}
