import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { freePort } from './testing/free-port.ts';

// The three processes of the README, started with its commands and files, except that ports and folder are the test's.

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-three-'));
const env = { ...process.env, RAGMESH_DATA_DIR: join(folder, 'data') };
const processes: ChildProcess[] = [];
afterAll(async () => {
  await Promise.all(processes.map(stop));
  rmSync(folder, { recursive: true, force: true });
});

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = readme.slice(readme.indexOf('## One process or many'));
const [start = '', use = ''] = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);

/** Writes the file of a process with the test's ports. Returns its path. */
async function copyConfig(path: string, ports: Map<string, number>): Promise<string> {
  let text = readFileSync(join(root, path), 'utf8');
  for (const [port] of text.matchAll(/\b(8080|5005\d|946\d)\b/g)) {
    if (!ports.has(port)) ports.set(port, await freePort());
    text = text.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(ports.get(port)));
  }
  const copy = join(folder, basename(path));
  writeFileSync(copy, text);
  return copy;
}

/** Starts a process. Resolves to what it prints until it serves. */
function run(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'mesh/run.ts'), ...args], { cwd: root, env });
  processes.push(child);
  let printed = '';
  let errors = '';
  child.stderr.on('data', (data: Buffer) => {
    errors += data;
  });
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      printed += data;
      if (printed.includes('mesh key')) resolve(printed);
    });
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}: ${errors}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

test('the three processes of the README greet, index the sample and answer', async () => {
  const ports = new Map<string, number>();
  const commands = start
    .trim()
    .split('\n')
    .map((line) => /^npm start -- (--services \S+) --config (\S+) &$/.exec(line));
  expect(commands).toHaveLength(3);
  const greetings: string[] = [];
  let edgeConfig = '';
  for (const command of commands) {
    const [, services = '', config = ''] = command ?? [];
    edgeConfig = await copyConfig(config, ports);
    greetings.push(await run([...services.split(' '), '--config', edgeConfig]));
  }
  const [search, models, edge] = greetings as [string, string, string];
  expect(search).toMatch(/ragmesh is up in [\d.]+ s: embedding, rerank, retrieval\n/);
  expect(models).toContain(`remote           embedding at 127.0.0.1:${ports.get('50052')}`);
  expect(edge).toContain(`console and API  http://127.0.0.1:${ports.get('8080')}`);
  expect(edge).toContain(`remote           cache at 127.0.0.1:${ports.get('50053')}`);
  expect(edge).toContain(join(folder, 'data', 'edge', 'dev-keys.json'));

  const script = use.replaceAll('npm run --silent', `${process.execPath} mesh/run.ts`).replaceAll(' -- ', ' ');
  const { stdout } = await promisify(execFile)('bash', ['-ec', script], {
    cwd: root,
    env: { ...env, RAGMESH_CONFIG: edgeConfig },
  });
  expect(stdout).toContain('documents: ');
  expect(stdout).toMatch(/\[1\]/);
}, 240_000);
