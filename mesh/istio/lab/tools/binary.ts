import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findGo } from '../../../conformance/suite.ts';

// Programs of the Go modules beside this folder, each built once for each state of its files.

/** Folder in which the tools of the lab are kept between runs. */
export const toolFolder = join(homedir(), '.cache/ragmesh/mesh-lab');

/** A program of a Go module beside this folder. */
interface Program {
  readonly name: string;
  readonly source: string;
  /** Arguments of Go that build it into `to`. */
  args(to: string): readonly string[];
  readonly title: string;
}

const kubernetesVersion = '1.36.1';

const programs = {
  lab: {
    name: 'lab',
    source: fileURLToPath(new URL('../go/', import.meta.url)),
    args: (to) => ['test', '-c', '-ldflags=-s -w', '-o', to, '.'],
    title: 'Istio’s discovery code: seconds if Go’s cache has it, 5 to 10 minutes of CPU the first time',
  },
  kube: {
    name: 'kube',
    source: fileURLToPath(new URL('../go-kube/', import.meta.url)),
    args(to) {
      const [major, minor] = kubernetesVersion.split('.');
      const values = { gitVersion: `v${kubernetesVersion}`, gitMajor: major, gitMinor: minor };
      const set = Object.entries(values).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
      return ['build', `-ldflags=-s -w ${set.join(' ')}`, '-o', to, '.'];
    },
    title: 'the API server of Kubernetes and istiod: about 8 minutes of CPU the first time',
  },
} as const satisfies Record<string, Program>;

/** What to do without the program. */
export const binaryAdvice =
  'install Go 1.26 or later, then: npm run mesh:sim (the first build takes 5 to 10 minutes of CPU)';

/** Returns the path of a program that was built from the present sources; `undefined` if it was not built. */
export function findBinary(program: keyof typeof programs = 'lab'): string | undefined {
  const path = binaryPath(programs[program]);
  return existsSync(path) ? path : undefined;
}

function binaryPath({ name, source }: Program): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(source).sort()) hash.update(file).update(readFileSync(join(source, file)));
  return join(toolFolder, `${name}-${hash.digest('hex').slice(0, 16)}`);
}

/** Builds a program, unless it is there. Returns its path; `undefined` without Go. Throws the output of Go if it fails. */
export function buildBinary(say: (line: string) => void, program: keyof typeof programs = 'lab'): string | undefined {
  const found = findBinary(program);
  const go = findGo();
  if (found !== undefined || go === undefined) return found;
  const { title, source, args } = programs[program];
  say(`building ${title} …`);
  const path = binaryPath(programs[program]);
  mkdirSync(toolFolder, { recursive: true });
  const part = `${path}.${process.pid}`;
  const flags = args(part);
  const { status, stderr, error } = spawnSync(go, flags, { cwd: source, encoding: 'utf8' });
  if (status !== 0) throw new Error(`go ${flags.join(' ')} failed in ${source}: ${error?.message ?? stderr}`);
  renameSync(part, path);
  return path;
}

/** A question that the program answers and ends. */
export type Question = 'Kustomize' | 'Simulate';

/** Runs the program with an input, a folder or a value. Returns what it wrote. Throws its output if it fails. */
export function ask(binary: string, question: Question, input: string | object): string {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-mesh-'));
  const [inputPath, outputPath] = [join(folder, 'input.json'), join(folder, 'output')];
  try {
    if (typeof input !== 'string') writeFileSync(inputPath, JSON.stringify(input));
    const { status, stdout, stderr, error } = spawnSync(binary, [`-test.run=^Test${question}$`], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 256 << 20,
      env: { ...environment, LAB_INPUT: typeof input === 'string' ? input : inputPath, LAB_OUTPUT: outputPath },
    });
    if (status !== 0) throw new Error(`${question} failed: ${error?.message ?? ''}${(stdout + stderr).slice(-4000)}`);
    return readFileSync(outputPath, 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Settings of Istio that the lab needs: the filters that only Istio's own build of Envoy has are left out. */
export const environment = {
  PILOT_ENABLE_ALPN_FILTER: 'false',
  PILOT_ENABLE_METADATA_EXCHANGE: 'false',
  HOME: homedir(),
} as const;
