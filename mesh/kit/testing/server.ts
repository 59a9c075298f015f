import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Real servers for tests: what this machine has is started on loopback; what it lacks is a skip that is printed and counted, or,
// if RAGMESH_REQUIRE=redis,chroma,… names it, a failure.

/** A server that a test has started. */
export interface TestServer extends AsyncDisposable {
  port: number;
  pid: number;
  /** A folder of its own, removed with it. */
  folder: string;
  /** What it has printed so far. */
  output(): string;
  /** Kills it immediately; the folder stays. */
  kill(): Promise<void>;
}

/** How to start a server. */
export interface ServerCommand {
  command: string;
  args(port: number, folder: string): string[];
  env?: Record<string, string>;
  /** @default a free one */
  port?: number;
  /** Resolves to whether it answers. @default a connection to its port is taken */
  isReady?(port: number): Promise<boolean>;
  /** @default 30000 */
  startTimeoutMs?: number;
}

/** Whether a command is installed. */
export function hasCommand(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Reports that tests are skipped without `name`, one line on standard error; throws if RAGMESH_REQUIRE asks for it. Returns true,
 * for `describe.skipIf(!isHere && skipped('redis', 12, 'apt-get install redis-server'))`.
 */
export function skipped(name: string, testCount: number, advice: string): true {
  const required = (process.env.RAGMESH_REQUIRE ?? '').split(',').map((part) => part.trim());
  if (required.includes(name)) throw new Error(`RAGMESH_REQUIRE asks for ${name}, and there is none: ${advice}`);
  process.stderr.write(`skipped: ${testCount} tests with a real ${name} (${advice})\n`);
  return true;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Returns whether the process of a mesh with this admin port is ready. */
export async function isReady(adminPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Starts a server and waits until it answers. */
export async function startTestServer(server: ServerCommand): Promise<TestServer> {
  const port = server.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-server-'));
  const child: ChildProcess = spawn(server.command, server.args(port, folder), {
    cwd: folder,
    env: { ...process.env, ...server.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes) => {
      output = (output + String(bytes)).slice(-100_000);
    });
  }
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  const isReady = server.isReady ?? accepts;
  const deadline = Date.now() + (server.startTimeoutMs ?? 30_000);
  while (!(await isReady(port).catch(() => false))) {
    if (failure !== undefined || child.exitCode !== null || Date.now() > deadline) {
      if (failure === undefined) await kill();
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`${server.command} did not start: ${failure?.message ?? output.slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    pid: child.pid as number,
    folder,
    output: () => output,
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  const socket = connect(port, '127.0.0.1');
  return await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
