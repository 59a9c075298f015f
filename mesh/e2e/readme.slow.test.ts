import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { loadConfig } from '#kit/host/config/config.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { services } from '../run.ts';
import { freePort } from './testing/free-port.ts';

// The commands of the README, run as they are there, one block after another, except that ports and folder are the test's.

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-readme-'));
const ports = { edge: 0, grpc: 0, admin: 0 };
let server: ChildProcess;
let said = '';

const environment = () => ({
  ...process.env,
  RAGMESH_DATA_DIR: join(folder, 'data'),
  RAGMESH_CONFIG: join(folder, 'ragmesh.yaml'),
});

beforeAll(async () => {
  for (const name of ['edge', 'grpc', 'admin'] as const) ports[name] = await freePort();
  const config = Object.entries(ports).map(([name, port]) => `${name}: { port: ${port} }`);
  writeFileSync(join(folder, 'ragmesh.yaml'), config.join('\n'));
  server = spawn('npm', ['start', '--silent'], {
    cwd: root,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    const listen = (data: Buffer) => {
      said += data;
      if (said.includes('customer key')) resolve();
    };
    server.stdout?.on('data', listen);
    server.stderr?.on('data', listen);
    server.once('exit', (code) => reject(new Error(`npm start ended with ${code}: ${said}`)));
  });
}, 120_000);

afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  // npm, its shell and the server are one process group.
  if (server.pid !== undefined) process.kill(-server.pid, 'SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = '']) => block.trim());
/** What the test itself is, or starts. */
const ownBlocks = /^npm (start|test)\b/;
const isInstalled = (program: string) =>
  (process.env.PATH ?? '').split(delimiter).some((path) => existsSync(join(path, program)));

function adapt(block: string): string {
  return block
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${ports.edge}`)
    .replaceAll('127.0.0.1:50051', `127.0.0.1:${ports.grpc}`)
    .replaceAll('127.0.0.1:9464', `127.0.0.1:${ports.admin}`)
    .replaceAll('data/edge/', `${join(folder, 'data')}/edge/`);
}

test('the commands of the README do what it says', async () => {
  const script: string[] = ['set -euo pipefail'];
  let count = 0;
  for (const block of blocks) {
    if (ownBlocks.test(block)) continue;
    const missing = ['grpcurl', 'curl'].find((program) => block.includes(program) && !isInstalled(program));
    if (missing !== undefined) {
      process.stderr.write(`skipped: a README block (no ${missing})\n`);
      continue;
    }
    // One shell for all, since later blocks use what earlier ones set; each must say something.
    script.push(`printf '\\n--- %s\\n' ${++count}`, adapt(block));
  }
  const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')], {
    cwd: root,
    env: environment(),
    maxBuffer: 1 << 24,
  });
  const outputs = stdout.split(/^--- \d+$/m).slice(1);
  expect(outputs).toHaveLength(count);
  expect(outputs.filter((output) => output.trim() === '')).toEqual([]);
  expect(count).toBeGreaterThanOrEqual(6);
  expect(stdout).toContain('[1]');
  expect(stdout).toContain('event: done');
  expect(stdout).toContain('"textDelta"');
  expect(stdout).toContain('chat.completion');
  expect(stdout).toContain('nDCG@10');
}, 240_000);

test('what npm start prints is what the README shows', () => {
  expect(said).toMatch(/ragmesh is up in [\d.]+ s/);
  for (const word of ['console and API', 'development key', 'customer key', 'sample']) {
    expect(said).toContain(word);
    expect(readme).toContain(word);
  }
});

test('the configurations of the README start what they speak of', async () => {
  const files = [...readme.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const path = join(folder, 'shown.yaml');
    writeFileSync(path, file.replaceAll(/<sha256[^>]*>/g, '0'.repeat(64)));
    const env = { ANTHROPIC_API_KEY: 'key', DB_PASSWORD: 'password', RAGMESH_IDENTITY_KEY: 'key' };
    const { $typeName: _, ...config } = loadConfig(path, env);
    // Its server is the reader's; replicas/ tests such a configuration with a real one.
    if (config.storage !== undefined) continue;
    // The edge listens on every address; a test does not.
    const edge = { ...config.edge, host: '127.0.0.1' };
    await using mesh = await startTestMesh(services, { config: { ...config, edge } as never });
    const { models } = await mesh.client(LLMGatewayService).listModels({}, await mesh.as());
    for (const { name } of config.llmGateway?.models ?? []) expect(models.map((model) => model.name)).toContain(name);
    for (const { name } of config.llmGateway?.routes ?? []) expect(models.map((model) => model.name)).toContain(name);
  }
});
