import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test, vi } from 'vitest';
import { startWholeMesh } from '../e2e/testing/whole-mesh.ts';

// The command line, run as npm runs it.

const root = fileURLToPath(new URL('../..', import.meta.url));
// Each test starts several processes, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-commands-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: string[], env: Record<string, string> = {}): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, RAGMESH_DATA_DIR: join(folder, 'data'), ...env } };
    execFile(process.execPath, ['mesh/run.ts', ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const commands = [
  'ask',
  'backup',
  'doctor',
  'ingest',
  'eval',
  'migrate',
  'plan',
  'restore',
  'token',
  'cache:calibrate',
  'cache:warm',
];

test.each(commands)('%s --help has every flag and every environment variable', async (command) => {
  const { code, stdout } = await run([command, '--help']);
  expect(code).toBe(0);
  const calls = !['token', 'cache:calibrate', 'backup', 'migrate', 'plan', 'restore'].includes(command);
  const words = ['--config', '--json', 'RAGMESH_CONFIG', 'RAGMESH_DATA_DIR', 'RAGMESH_DEBUG'];
  for (const word of [...words, ...(calls ? ['--url', '--key', 'RAGMESH_URL', 'RAGMESH_API_KEY'] : [])]) {
    expect(stdout).toContain(word);
  }
});

test('a command whose reader leaves early ends without a word', async () => {
  const child = spawn(process.execPath, ['mesh/run.ts', 'ask', '--help'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('an unknown flag is an error with the nearest flag, of a command and of npm start', async () => {
  const ask = await run(['ask', '--corpsu', 'x', 'hello']);
  expect(ask).toMatchObject({ code: 1, stdout: '' });
  expect(ask.stderr).toMatch(/^--corpsu: unknown flag: did you mean "--corpus"\?; allowed: --corpus, /);
  expect((await run(['--servces', 'edge'])).stderr).toContain('did you mean "--services"?');
  expect((await run(['ask', 'hello', '--url'])).stderr).toContain('--url needs a value');
  expect((await run(['token', 'stray'])).stderr).toContain('"stray" is not expected here');
});

test('token --jwks prints the public key for proxies', async () => {
  const { stdout } = await run(['token', '--jwks']);
  expect(JSON.parse(stdout)).toEqual({
    keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: expect.any(String), x: expect.any(String) }],
  });
});

test('token --json prints one object', async () => {
  const { stdout } = await run(['token', '--json', '--role', 'reader', '--minutes', '5']);
  expect(JSON.parse(stdout)).toMatchObject({ token: expect.stringMatching(/^ey/), roles: ['reader'], minutes: 5 });
});

test('a named server that does not answer is an error, and no server is started instead', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const { code, stderr } = await run(['ask', 'hello', '--url', `http://127.0.0.1:${port}`]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `no ragmesh answers at http://127.0.0.1:${port}: check --url or RAGMESH_URL\n`,
  });
});

test('commands work against a named server with a named key', async () => {
  await using mesh = await startWholeMesh({ dataDir: join(folder, 'mesh') });
  const flags = ['--url', mesh.edgeUrl, '--key', mesh.devKey];

  const asked = await run(['ask', 'Are fabric swatches free?', '--json', ...flags]);
  expect(asked.code).toBe(0);
  expect(JSON.parse(asked.stdout)).toMatchObject({
    text: expect.stringContaining('[1]'),
    citations: [expect.objectContaining({ marker: 1 })],
    done: { outcome: 'ANSWER_OUTCOME_ANSWERED' },
  });

  const refused = await run(['ask', 'hello'], { RAGMESH_URL: mesh.edgeUrl, RAGMESH_API_KEY: 'wrong' });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/^Unauthenticated: .*\n {2}the key is that of --key, else of RAGMESH_API_KEY/);

  const files = ['a.mp4', 'b.exe', 'ok.md'].map((name) => join(folder, name));
  for (const file of files) writeFileSync(file, '# Parcels\n\nParcels leave on Monday.\n');
  const ingested = await run(['ingest', ...files, '--corpus', 'mine', '--json', ...flags]);
  expect(ingested.stderr).toMatch(/left out: \S+a\.mp4 \(not one of .*\)\nleft out: \S+b\.exe \(not one of/);
  expect(ingested.code).toBe(2);
  expect(JSON.parse(ingested.stdout)).toMatchObject({
    job: { state: 'JOB_STATE_SUCCEEDED', progress: { indexedCount: '1' } },
    left_out: [{ isNamed: true }, { isNamed: true }],
  });
});
