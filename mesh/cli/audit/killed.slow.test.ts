import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startWholeMesh, type WholeMesh } from '../../e2e/testing/whole-mesh.ts';

// The command itself, killed while it exports. It connects to a mesh over the network, as npm runs it.

vi.setConfig({ testTimeout: 240_000 });
const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-audit-export-'));
const entryCount = 3500;
let mesh: WholeMesh;

beforeAll(async () => {
  mesh = await startWholeMesh({ sample: false });
  const options = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const client = mesh.client(AuditService);
  for (let start = 0; start < entryCount; start += 500) {
    const ids = Array.from({ length: 500 }, (_, index) => `a${start + index}`);
    await Promise.all(ids.map((answerId) => client.record({ answerId, answer: 'x'.repeat(200) }, options)));
  }
});
afterAll(async () => {
  await mesh.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts an export; `kill` ends it immediately, `code` resolves to its exit code. */
function startExport(args: string[]) {
  const env = { ...process.env, RAGMESH_DATA_DIR: join(folder, 'data'), RAGMESH_AUDIT_SECRET: 'secret' };
  const flags = ['audit', 'export', '--url', mesh.edgeUrl, '--key', mesh.devKey, ...args];
  const child = spawn(process.execPath, ['mesh/run.ts', ...flags], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (part) => {
    errors += String(part);
  });
  const code = new Promise<number | null>((resolve) => child.once('exit', (exit) => resolve(exit)));
  return { kill: () => child.kill('SIGKILL'), code, errors: () => errors };
}

const sequencesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number((JSON.parse(line) as { sequence: string }).sequence));
const all = Array.from({ length: entryCount }, (_, index) => index + 1);

test('a file has each entry once after the command was killed while it wrote', async () => {
  const path = join(folder, 'audit.jsonl');
  const first = startExport(['--to', path]);
  await expect
    .poll(() => existsSync(path) && readFileSync(path).length > 0, { timeout: 120_000, interval: 2 })
    .toBe(true);
  first.kill();
  await first.code;
  const second = startExport(['--to', path]);
  expect([await second.code, second.errors()]).toEqual([0, expect.stringContaining('entries exported')]);
  expect(sequencesOf(readFileSync(path, 'utf8'))).toEqual(all);
});

test('a collector has each entry once after the command was killed before it saw the reply', async () => {
  const batches = new Map<string, string>();
  let isHeld = true;
  let posts = 0;
  const collector = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    posts++;
    const key = String(request.headers['idempotency-key']);
    if (!batches.has(key)) batches.set(key, body);
    // The second batch is stored, and its reply never comes: the command is killed meanwhile.
    if (isHeld && posts >= 2) return;
    response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => collector.once('listening', resolve));
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/in`;
  const args = ['--to', url, '--state', join(folder, 'position.json')];
  const first = startExport(args);
  await expect.poll(() => posts, { timeout: 120_000 }).toBe(2);
  first.kill();
  await first.code;
  isHeld = false;
  const second = startExport(args);
  expect([await second.code, second.errors()]).toEqual([0, expect.stringContaining('entries exported')]);
  expect([...batches.values()].flatMap(sequencesOf)).toEqual(all);
  expect(posts).toBeGreaterThan(batches.size);
  collector.closeAllConnections();
  collector.close();
});
