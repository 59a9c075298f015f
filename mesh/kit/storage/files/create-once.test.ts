import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createOnce } from './create-once.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-create-once-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('creates a file for this account alone, and leaves no other', () => {
  const path = join(folder, 'key');
  createOnce(path, 'first');
  expect(readFileSync(path, 'utf8')).toBe('first');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['key']);
});

it('leaves a file that exists as it is', () => {
  const path = join(folder, 'key');
  createOnce(path, 'first');
  createOnce(path, 'second');
  expect(readFileSync(path, 'utf8')).toBe('first');
  expect(readdirSync(folder)).toEqual(['key']);
});

it('throws if the folder is absent', () => {
  expect(() => createOnce(join(folder, 'absent', 'key'), 'x')).toThrow('ENOENT');
});

it('gives processes that start concurrently the content of one of them', async () => {
  const path = join(folder, 'key');
  const program = join(folder, 'program.mjs');
  const source = new URL('create-once.ts', import.meta.url).href;
  writeFileSync(
    program,
    `import { readFileSync } from 'node:fs';
     const { createOnce } = await import(${JSON.stringify(source)});
     process.once('message', () => {
       createOnce(${JSON.stringify(path)}, String(process.pid).repeat(10_000));
       process.send(readFileSync(${JSON.stringify(path)}, 'utf8'));
       process.disconnect();
     });
     process.send('ready');`,
  );
  const processes = [1, 2, 3].map(() => fork(program));
  await Promise.all(processes.map((process) => once(process, 'message')));
  const read = processes.map(async (process) => {
    const message = once(process, 'message');
    process.send('go');
    return (await message)[0] as string;
  });
  const [first, ...others] = await Promise.all(read);
  expect(processes.map(({ pid }) => String(pid).repeat(10_000))).toContain(first);
  expect(others).toEqual([first, first]);
});
