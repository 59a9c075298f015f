import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readDefinitions } from './kubernetes/definitions.ts';
import type { KubernetesTools } from './kubernetes/kubernetes.ts';
import { claimMachine } from './run/claim.ts';
import { ownNamespace, removeHosts } from './run/network.ts';
import { openScene } from './run/open.ts';
import { scenarios } from './scenarios/all.ts';
import type { Feature } from './scenarios/scenario.ts';
import { binaryAdvice, buildBinary } from './tools/binary.ts';
import { findEnvoy, missingTools } from './tools/machine.ts';
import { printTable, type Row } from './tools/table.ts';

const help = `npm run mesh:lab -- [scenario …] [--kube] [--grouped] [--minutes 10] [--keep]

Runs the manifests of both regions: Istio's discovery code configures real Envoys around real processes of every service, in network namespaces of
this machine, and scenarios call, kill, replace and cut. Exit code: 0 if all claims hold or if tools are absent, else 1. Needs root on
Linux. Everything is removed at the end, also after a failure or Ctrl-C; what a killed lab has left is removed by the next one.

  --kube         a real API server and a real istiod in each cluster, in the place of Istio's discovery code alone
  --grouped      the topology "grouped" in one cluster; scenarios that need regions or a pod for each service are left out
  --definitions <folder>  definitions of the custom resources of operators (KEDA, Prometheus, Argo Rollouts), for --kube
  --minutes <n>  life of the long stream; default: 10
  --keep         keep the folder with configurations and logs

scenarios:
${[...scenarios].map(([name, scenario]) => `  ${name.padEnd(12)} ${scenario.name}`).join('\n')}
`;

const say = (line: string) => process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    minutes: { type: 'string', default: '10' },
    keep: { type: 'boolean', default: false },
    kube: { type: 'boolean', default: false },
    grouped: { type: 'boolean', default: false },
    definitions: { type: 'string' },
    // Set by the command itself, for the process that runs inside of the lab's network.
    inside: { type: 'string' },
  },
});

/** Prepares the machine, runs the scenarios in a process inside of the lab's network, and removes everything. */
async function outsideMain(): Promise<number> {
  const missing = missingTools({ canBuild: true });
  if (missing.length > 0) {
    say(
      `skipped: the mesh lab (${scenarios.size} scenarios). Missing:\n${missing.map((each) => `  ${each}`).join('\n')}`,
    );
    return 0;
  }
  buildBinary(say);
  if (values.kube) buildBinary(say, 'kube');
  await using _claim = await claimMachine(say);
  removeHosts();
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-lab-'));
  try {
    chmodSync(folder, 0o755);
    spawnSync('ip', ['netns', 'add', ownNamespace]);
    const script = fileURLToPath(import.meta.url);
    // Its own temporary files, those of stores among them, are in the folder that is removed.
    const args = [
      `--net=/run/netns/${ownNamespace}`,
      'env',
      `TMPDIR=${folder}`,
      process.execPath,
      script,
      ...process.argv.slice(2),
      '--inside',
      folder,
    ];
    const child = spawn('nsenter', args, { stdio: 'inherit' });
    // The terminal sends Ctrl-C to both processes: this one stays to clean up.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    removeHosts();
    if (values.keep) say(`logs and configurations: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

function kubernetesTools(): KubernetesTools {
  const binary = buildBinary(say, 'kube');
  if (binary === undefined) throw new Error(`--kube needs its program: ${binaryAdvice}`);
  return { binary, definitions: readDefinitions(values.definitions) };
}

/** Runs the scenarios. */
async function insideMain(folder: string, names: readonly string[]): Promise<number> {
  const binary = buildBinary(say);
  const envoy = findEnvoy();
  if (binary === undefined || envoy === undefined) return 1;
  const startedAt = performance.now();
  const since = () => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  const kubernetes = values.kube ? kubernetesTools() : undefined;
  const topology = values.grouped ? 'grouped' : 'services';
  const features = new Set<Feature>([
    values.kube ? 'kube' : 'own control plane',
    ...(values.grouped ? [] : ['regions' as const]),
  ]);
  const streamMs = Number(values.minutes) * 60_000;
  await using scene = await openScene({
    binary,
    envoy,
    folder,
    streamMs,
    topology,
    say,
    ...(kubernetes && { kubernetes }),
  });
  say(`the mesh is up after ${since()}`);
  const rows: Row[] = [];
  for (const [name, scenario] of scenarios) {
    if (names.length > 0 && !names.includes(name)) continue;
    if (!(scenario.needs ?? []).every((feature) => features.has(feature))) continue;
    say(`${name}: ${scenario.name} …`);
    const row = await scenario.run(scene).then(
      (detail): Row => ({ group: 'mesh lab', name: scenario.name, outcome: 'passed', detail, problems: [] }),
      (error: Error): Row => ({
        group: 'mesh lab',
        name: scenario.name,
        outcome: 'failed',
        detail: '',
        problems: error.message.split('\n'),
      }),
    );
    say(`  ${row.outcome} after ${since()} ${row.detail}${row.problems.map((problem) => `\n    ${problem}`).join('')}`);
    rows.push(row);
  }
  return printTable(rows, say);
}

const unknown = positionals.find((name) => !scenarios.has(name));
if (values.help) process.stdout.write(help);
else if (unknown !== undefined) {
  say(`no scenario "${unknown}": there are ${[...scenarios.keys()].join(', ')}`);
  process.exitCode = 2;
} else if (values.inside === undefined) process.exitCode = await outsideMain();
else process.exit(await insideMain(values.inside, positionals));
