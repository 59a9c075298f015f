import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from '#kit/base/streams.ts';
import { freePort, isReady } from '#kit/testing/server.ts';
import type { Topology } from '../../cli/plan/costs.ts';
import { cpuMsOf } from '../process-cpu.ts';

// The processes of a mesh for the benchmark of capacity, over one PostgreSQL and one Redis, as a deployment runs them.

const run = fileURLToPath(new URL('../../run.ts', import.meta.url));

const online = ['edge', 'chat', 'cache', 'llm-gateway', 'embedding', 'rerank', 'retrieval'];
const offline = ['audit', 'evaluation', 'indexer'];

/** Services of each process, by the name of the process. */
export const processesOf: Readonly<Record<Topology, Readonly<Record<string, readonly string[]>>>> = {
  grouped: { online, audit: ['audit'], indexer: ['indexer'], evaluation: ['evaluation'] },
  services: Object.fromEntries([...online, ...offline].map((name) => [name, [name]])),
};

/** Running processes of one topology. */
export interface Processes extends AsyncDisposable {
  edgePort: number;
  key: string;
  /** Returns the CPU time that each has used so far, in milliseconds. */
  cpuMs(): Record<string, number>;
  /** Returns the resident memory of each, in MiB. */
  memoryMb(): Record<string, number>;
}

/** The engines that have the state. */
export interface Engines {
  database: string;
  redisPort: number;
}

const unlimited = 1_000_000;

/** Starts a topology in a folder, and waits until all of it is ready. */
export async function startProcesses(topology: Topology, folder: string, engines: Engines): Promise<Processes> {
  const key = 'key-of-the-benchmark-of-capacity';
  const places = await Promise.all(
    Object.entries(processesOf[topology]).map(async ([name, services]) => ({
      name,
      services,
      grpcPort: await freePort(),
      adminPort: await freePort(),
      edgePort: await freePort(),
    })),
  );
  const addresses = Object.fromEntries(
    places.flatMap(({ services, grpcPort }) =>
      services.filter((service) => service !== 'edge').map((service) => [service, `127.0.0.1:${grpcPort}`]),
    ),
  );
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const children = new Map<string, ChildProcess>();
  const close = async () => {
    const running = [...children.values()].filter((child) => child.exitCode === null && child.signalCode === null);
    const ended = running.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(ended);
  };
  const start = async ({ name, services, grpcPort, adminPort, edgePort }: (typeof places)[number]) => {
    const home = join(folder, topology, name);
    mkdirSync(home, { recursive: true });
    const redis = { adapter: 'redis', settings: { url: `redis://127.0.0.1:${engines.redisPort}` } };
    const file = {
      data_dir: join(home, 'data'),
      storage: { database: engines.database },
      addresses,
      identity: { private_key: privateKey },
      grpc: { port: grpcPort, max_concurrent: 100_000 },
      admin: { port: adminPort },
      telemetry: { log_level: 'silent' },
      cache: { durable_store: redis },
      edge: { port: edgePort, limiter: redis, api_keys: [apiKey(key)], ...roomyLimits },
    };
    const path = join(home, 'ragmesh.yaml');
    // JSON is YAML.
    writeFileSync(path, JSON.stringify(file));
    const args = [run, '--services', services.join(','), '--config', path];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    children.set(name, child);
    let output = '';
    child.stderr.on('data', (bytes) => {
      output = (output + String(bytes)).slice(-10_000);
    });
    while (!(await isReady(adminPort))) {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${output}`);
      await sleep(50);
    }
  };
  try {
    await Promise.all(places.map(start));
  } catch (error) {
    await close();
    throw error;
  }
  const each = (read: (pid: number) => number) =>
    Object.fromEntries([...children].map(([name, { pid }]) => [name, read(pid as number)]));
  return {
    edgePort: places.find(({ services }) => services.includes('edge'))?.edgePort as number,
    key,
    cpuMs: () => each((pid) => cpuMsOf(pid) ?? Number.NaN),
    memoryMb: () => each(memoryMbOf),
    [Symbol.asyncDispose]: close,
  };
}

/** Returns the CPU time of a process and of all its children that run now, in milliseconds. */
export function cpuMsOfFamily(pid: number): number {
  let sum = cpuMsOf(pid) ?? 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || parentOf(name) !== pid) continue;
    sum += cpuMsOf(Number(name)) ?? 0;
  }
  return sum;
}

function parentOf(name: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function memoryMbOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

const roomyLimits = {
  tenant_requests_per_second: unlimited,
  tenant_burst: unlimited,
  user_requests_per_second: unlimited,
  user_burst: unlimited,
  user_max_concurrent: 100_000,
};

function apiKey(key: string): object {
  const sha256 = createHash('sha256').update(key).digest('hex');
  const roles = ['ROLE_READER', 'ROLE_EDITOR', 'ROLE_MODEL_USER'];
  return { id: 'bench', sha256, tenant: 'bench', groups: ['staff', 'merchant'], roles };
}
