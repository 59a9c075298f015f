import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const name = '@portkey-ai/gateway';
const version = '1.15.2';
/** With later versions of its HTTP server it fails on every stream (Portkey-AI/gateway, issue 1389). */
const overrides = { '@hono/node-server': '1.14.1' };

/** Another gateway, running. */
export interface Peer {
  label: string;
  port: number;
  pid: number | undefined;
  close(): void;
}

/**
 * Starts Portkey's gateway beside ours, installed into its own folder the first time. Returns `undefined`, with a line that says
 * why, if it cannot be installed or fails its trial.
 */
export async function startPeer(
  say: (line: string) => void,
  tryOut: (port: number) => Promise<void>,
): Promise<Peer | undefined> {
  const folder = join(tmpdir(), 'ragmesh-bench', `portkey-gateway-${version}`);
  const script = join(folder, 'node_modules', name, 'build', 'start-server.js');
  try {
    if (!existsSync(script)) {
      say(`installing ${name}@${version} into ${folder}`);
      mkdirSync(folder, { recursive: true });
      const manifest = { private: true, dependencies: { [name]: version }, overrides };
      writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
      const options = ['--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts'];
      await promisify(execFile)('npm', ['install', ...options], { cwd: folder, timeout: 300_000 });
    }
    const peer = await start(script);
    await tryOut(peer.port).catch((error) => {
      peer.close();
      throw error;
    });
    return peer;
  } catch (error) {
    const [reason] = String((error as Error).message).split('\n');
    say(`without ${name}: ${reason}`);
    return undefined;
  }
}

async function start(script: string): Promise<Peer> {
  const port = await freePort();
  // It refuses providers on loopback unless this allows them.
  const env = { NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' };
  const child = spawn(process.execPath, [script, `--port=${port}`, '--headless'], { env, stdio: 'ignore' });
  const close = () => {
    child.kill('SIGKILL');
  };
  process.once('exit', close);
  try {
    await listening(child, port);
  } catch (error) {
    close();
    throw error;
  }
  return { label: `Portkey ${version}`, port, pid: child.pid, close };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', () => {
    ended = true;
  });
  const until = performance.now() + 20_000;
  while (performance.now() < until && !ended) {
    if (await answers(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(ended ? 'it ended as it started' : 'it did not start within 20 s');
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
