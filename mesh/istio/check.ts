import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { services } from '../run.ts';
import { root } from '../tools.ts';
import { analyze } from './check/analyze.ts';
import { createCompose } from './check/compose.ts';
import { createInjector, injectedProblems } from './check/inject.ts';
import { everyObject, installations, withTrials } from './check/installations.ts';
import { createModel } from './model/model.ts';
import { folder, renderFiles } from './render/files.ts';
import { meshConfigOf } from './render/overlays/control-plane.ts';
import { createValidator, readSchemas } from './schemas/validate.ts';

// `npm run mesh:check`: the manifests before every checker that is installed. A tool that is not installed is a skip, printed and counted.

const help = `npm run mesh:check -- [--require istioctl,kubectl,…]

Checks the manifests of deployments/kubernetes with our own rules and schemas, and with every tool that is installed: kubectl, istioctl,
promtool, helm. Exit code: 1 if a check fails, or if a tool of --require is not installed.
`;

/** Longest run of a tool, in milliseconds. */
const toolTimeoutMs = 120_000;

/** What a check found. */
type Outcome = { readonly kind: 'ok' | 'skipped' | 'failed'; readonly detail: string };

interface Check {
  readonly name: string;
  /** The tool that it needs; none: it always runs. */
  readonly tool?: string;
  /** Returns the problems; empty if there are none. */
  run(): string;
}

const { values } = parseArgs({
  options: { require: { type: 'string', default: '' }, help: { type: 'boolean', short: 'h', default: false } },
});
if (values.help) process.stdout.write(help);
else process.exitCode = main(values.require.split(',').filter(Boolean));

function main(required: readonly string[]): number {
  const scratch = mkdtempSync(join(tmpdir(), 'ragmesh-mesh-check-'));
  try {
    const counts = { ok: 0, skipped: 0, failed: 0 };
    for (const check of checksOf(scratch)) {
      const startedAt = performance.now();
      const { kind, detail } = outcomeOf(check, required);
      counts[kind]++;
      const label = { ok: 'ok  ', skipped: 'skip', failed: 'FAIL' }[kind];
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      process.stdout.write(`${label} ${check.name} (${seconds} s)\n${detail === '' ? '' : `${detail.trimEnd()}\n`}`);
    }
    process.stdout.write(`${counts.ok} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
    return counts.failed === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function outcomeOf({ tool, run }: Check, required: readonly string[]): Outcome {
  if (tool !== undefined && !isInstalled(tool)) {
    return { kind: required.includes(tool) ? 'failed' : 'skipped', detail: `     ${tool} is not installed` };
  }
  const detail = run();
  return { kind: detail === '' ? 'ok' : 'failed', detail };
}

function checksOf(scratch: string): Check[] {
  const files = renderFiles(services);
  const trials = withTrials(files);
  const paths = installations(trials);
  const compose = createCompose(trials);
  const meshConfig = join(scratch, 'mesh.yaml');
  writeFileSync(meshConfig, stringify(meshConfigOf(createModel(services, 'services'))));
  const written = new Map(paths.map((path) => [path, join(scratch, `${path.replaceAll('/', '_')}.yaml`)]));
  for (const [path, file] of written) {
    const objects = compose(`${folder}/${path}`).map((object) => stringify(object, { lineWidth: 0 }));
    writeFileSync(file, objects.join('---\n'));
  }
  const each = (work: (path: string, file: string) => string) => () =>
    [...written].map(([path, file]) => named(path, work(path, file))).join('');
  const rulesDir = join(root, 'deployments/observability');
  return [
    {
      name: 'schemas and rules in CEL',
      run: () => everyObject(files).flatMap(createValidator(readSchemas())).join('\n'),
    },
    { name: 'our own rules', run: each((path) => analyze(compose(`${folder}/${path}`)).join('\n')) },
    {
      name: 'kubectl kustomize',
      tool: 'kubectl',
      run: () =>
        installations(files)
          .map((path) => named(path, problem('kubectl', 'kustomize', join(root, folder, path))))
          .join(''),
    },
    {
      name: 'istioctl validate',
      tool: 'istioctl',
      run: each((_, file) => problem('istioctl', 'validate', '-f', file)),
    },
    {
      name: 'istioctl analyze',
      tool: 'istioctl',
      // Without -A it looks at the namespace "default" only, and says that all is well.
      run: each((_, file) =>
        problem(
          'istioctl',
          'analyze',
          '-A',
          '--use-kube=false',
          '--meshConfigFile',
          meshConfig,
          '--failure-threshold',
          'Info',
          file,
        ),
      ),
    },
    {
      name: 'istioctl kube-inject',
      tool: 'istioctl',
      run() {
        const injector = createInjector(join(root, folder, 'istio/istiod.yaml'), scratch);
        return sidecarPaths(paths)
          .map((path) => named(path, injectedProblems(injector, written.get(path) ?? '').join('\n')))
          .join('');
      },
    },
    ...(existsSync(rulesDir)
      ? [
          {
            name: 'promtool check rules',
            tool: 'promtool',
            run: () =>
              ruleFiles(rulesDir)
                .map((file) => named(file, problem('promtool', 'check', 'rules', join(rulesDir, file))))
                .join(''),
          },
        ]
      : []),
    {
      name: 'helm lint',
      tool: 'helm',
      run: () => problem('helm', 'lint', join(root, folder, 'chart')),
    },
  ];
}

/** Installations whose pods get a sidecar or run as a gateway: all but those in the ambient mode. */
function sidecarPaths(paths: readonly string[]): string[] {
  return paths.filter((path) => !path.endsWith('-ambient'));
}

/** Files of rules for Prometheus, and not of their tests. */
function ruleFiles(folderOfRules: string): string[] {
  return readdirSync(folderOfRules, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .filter((name) => /^groups:/m.test(readFileSync(join(folderOfRules, name), 'utf8')));
}

function named(path: string, problems: string): string {
  return problems === '' ? '' : `${path}:\n${problems.trimEnd()}\n`;
}

function isInstalled(tool: string): boolean {
  return spawnSync(tool, ['--help'], { stdio: 'ignore', timeout: toolTimeoutMs }).error === undefined;
}

/** Returns the output of a tool if it fails, otherwise "". */
function problem(tool: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: toolTimeoutMs,
  });
  return status === 0 ? '' : `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` || `${tool} ended with ${status}`;
}
