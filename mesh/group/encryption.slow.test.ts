import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startTestGroup, type TestGroup } from './testing/start-group.ts';

// Processes that share an encrypted data folder, and commands that read its keys.

const program = fileURLToPath(new URL('../run.ts', import.meta.url));

/** Runs a command as npm does, with the key in the data folder of the group. */
async function run({ dataDir, edgeUrl }: TestGroup, ...args: string[]): Promise<string> {
  const env = { ...process.env, RAGMESH_URL: edgeUrl, RAGMESH_CONFIG: join(dataDir, '..', 'ragmesh.yaml') };
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], { env });
  return stdout;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test('a group over an encrypted folder answers, also after its owner and a worker were killed, and writes nothing in clear', async () => {
  const sections = `edge: { port: EDGE_PORT }
storage: { encryption: { keys: [{ id: first, key: "${randomBytes(32).toString('base64')}" }] } }`;
  await using group = await startTestGroup(2, sections);
  await group.ready();
  const ask = () => run(group, 'ask', 'Are fabric swatches free?', '--corpus', 'shop');
  expect(await ask()).toContain('[1]');
  const { checks } = JSON.parse(await run(group, 'doctor', '--json'));
  expect(checks.length).toBeGreaterThanOrEqual(10);

  for (const isOwner of [true, false]) {
    const victim = group.members().find((member) => member.isOwner === isOwner);
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await expect.poll(() => group.members().length, { timeout: 60_000 }).toBe(3);
    await group.ready();
    expect(await ask()).toContain('[1]');
  }
  expect(await group.stop()).toBe(0);
  const files = filesOf(group.dataDir);
  expect(files.length).toBeGreaterThan(10);
  const readable = files.filter((path) =>
    /SQLite format 3|PRIVATE KEY|rm_dev_|fabric/i.test(readFileSync(path, 'latin1')),
  );
  expect(readable).toEqual([]);
  expect(files.filter((path) => (statSync(path).mode & 0o077) !== 0)).toEqual([]);
}, 600_000);
