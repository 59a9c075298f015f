import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from '#kit/base/streams.ts';
import { freePort } from '#kit/testing/server.ts';

/** A group in processes of its own, over a folder of its own. */
export interface TestGroup extends AsyncDisposable {
  edgeUrl: string;
  adminUrl: string;
  grpcPort: number;
  dataDir: string;
  /** Keys of staff and of a customer, unless the configuration has keys of its own. */
  readonly keys: { dev: string; customer: string };
  /** Replaces the sections that were added to the configuration; the group reads it again by itself. */
  configure(sections: string): void;
  primary: ChildProcess;
  /** Everything that the processes have printed. */
  output(): string;
  /** The processes that the primary has started, now. */
  members(): { pid: number; isOwner: boolean }[];
  /** Resolves when the admin port says ready. */
  ready(): Promise<void>;
  /** Asks the primary to stop, and resolves to its exit code. */
  stop(): Promise<number | null>;
}

const program = fileURLToPath(new URL('../../run.ts', import.meta.url));
const startTimeoutMs = 280_000;

/** Starts `npm start -- --workers <workerCount>`, with `sections` added to the configuration as YAML. */
export async function startTestGroup(workerCount: number, sections = ''): Promise<TestGroup> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-group-'));
  const dataDir = join(folder, 'data');
  const [edgePort, grpcPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const path = join(folder, 'ragmesh.yaml');
  const ports = [`data_dir: ${dataDir}`, `grpc: { port: ${grpcPort} }`, `admin: { port: ${adminPort} }`];
  const configure = (added: string) => {
    const text = [...ports, 'telemetry: { log_level: info }', added].join('\n');
    writeFileSync(path, `${text}\n`.replaceAll('EDGE_PORT', String(edgePort)));
  };
  configure(sections);
  const primary = spawn(process.execPath, [program, '--workers', String(workerCount), '--config', path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [primary.stdout, primary.stderr]) {
    stream.on('data', (bytes) => {
      output += String(bytes);
    });
  }
  const exited = new Promise<number | null>((resolve) => primary.once('exit', resolve));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const until = async (check: () => Promise<boolean> | boolean) => {
    const deadline = performance.now() + startTimeoutMs;
    while (!(await check())) {
      if (primary.exitCode !== null || performance.now() > deadline) throw new Error(`the group is not up: ${output}`);
      await sleep(50);
    }
  };
  await until(() => output.includes('ragmesh is up')).catch((error: unknown) => {
    primary.kill('SIGTERM');
    throw error;
  });
  const stop = async () => {
    primary.kill('SIGTERM');
    return exited;
  };
  return {
    ...{ adminUrl, grpcPort, dataDir, primary, stop, configure },
    get keys() {
      return JSON.parse(readFileSync(join(dataDir, 'edge', 'dev-keys.json'), 'utf8'));
    },
    edgeUrl: `http://127.0.0.1:${edgePort}`,
    output: () => output,
    members: () => childrenOf(primary.pid as number),
    ready: () =>
      until(() =>
        fetch(`${adminUrl}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      ),
    async [Symbol.asyncDispose]() {
      if (primary.exitCode === null) await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// A worker of node:cluster has its number in its environment; the owner is forked plainly.
function childrenOf(pid: number): { pid: number; isOwner: boolean }[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.flatMap((child) => {
    try {
      const isOwner = !readFileSync(`/proc/${child}/environ`, 'utf8').includes('NODE_UNIQUE_ID=');
      return [{ pid: Number(child), isOwner }];
    } catch {
      return [];
    }
  });
}
