import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateInto, root, runScript, runTool } from './tools.ts';

// `npm run verify`: every check by a tool, each with what to do about a failure.

interface Check {
  name: string;
  run(): string | undefined;
  advice: string;
}

const command =
  (...[tool, ...args]: Parameters<typeof runTool>) =>
  () =>
    runTool(tool, ...args);

const checks: Check[] = [
  { name: 'format and lint', run: command('biome', 'check', '--error-on-warnings'), advice: 'npm run format' },
  // Each checker looks at what many files use: two need half the work of the default four.
  { name: 'types', run: command('tsc', '-p', '.', '--checkers', '2'), advice: 'fix the types' },
  { name: 'contracts: lint', run: command('buf', 'lint'), advice: 'fix the proto' },
  {
    name: 'contracts: no breaking change',
    run: command('buf', 'breaking', '--against', 'proto/baseline.binpb', '--exclude-imports'),
    advice: 'add instead of changing; a baseline is renewed only with a release (CONTRIBUTING.md)',
  },
  { name: 'generated code matches the contracts', run: generatedDrift, advice: 'npm run gen' },
  {
    name: 'reference pages',
    run: () => runScript('mesh/reference/render.ts', '--check'),
    advice: 'npm run reference:render',
  },
  {
    name: 'settings are documented as they are',
    run: () => runScript('mesh/settings/render.ts', '--check'),
    advice: 'npm run settings:render',
  },
  {
    name: 'manifests are what the services render',
    run: () => runScript('mesh/istio/render.ts', '--check'),
    advice: 'npm run mesh:render',
  },
  { name: 'project rules', run: command('vitest', 'run', 'mesh/tidy'), advice: 'follow the message' },
];

const help = `npm run verify

Runs every check that needs no server, and prints what to do about each failure. Exit code: 0 if all pass, else 1.

${checks.map(({ name, advice }) => `  ${name.padEnd(42)} on failure: ${advice}\n`).join('')}
The tests are a command of their own: npm test.
`;

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h', default: false } } });
if (values.help) process.stdout.write(help);

let failedCount = 0;
for (const { name, run, advice } of values.help ? [] : checks) {
  const startedAt = performance.now();
  const problem = run();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${problem === undefined ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`);
  if (problem === undefined) continue;
  failedCount++;
  process.stdout.write(`${problem.trimEnd()}\n→ ${advice}\n`);
}
process.exitCode = failedCount === 0 ? 0 : 1;

function generatedDrift(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-gen-'));
  try {
    const problem = generateInto(folder);
    if (problem !== undefined) return problem;
    const fresh = filesUnder(join(folder, 'gen'));
    const committed = filesUnder(join(root, 'gen'));
    const paths = [...new Set([...fresh.keys(), ...committed.keys()])];
    const drifted = paths.filter((path) => fresh.get(path) !== committed.get(path));
    return drifted.length === 0 ? undefined : `gen/ differs in ${drifted.join(', ')}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function filesUnder(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}
