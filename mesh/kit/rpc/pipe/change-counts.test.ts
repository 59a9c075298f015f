import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openChangeCounter, openChangeReader, untilChanged } from './change-counts.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-counts-'));
  path = join(folder, 'changes');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a change is seen by every read that begins later', () => {
  const counter = openChangeCounter(path);
  const reader = openChangeReader(path);
  const before = reader.read('acme');
  const other = reader.read('globex');
  expect(reader.read('acme')).toBe(before);
  counter.count('acme');
  expect(reader.read('acme')).not.toBe(before);
  expect(reader.read('globex')).toBe(other);
  reader.close();
  counter.close();
});

test('everything has changed when another process counts', () => {
  openChangeCounter(path).close();
  const reader = openChangeReader(path);
  const before = ['acme', 'globex'].map(reader.read);
  openChangeCounter(path).close();
  const after = ['acme', 'globex'].map(reader.read);
  for (const [index, count] of after.entries()) expect(count).not.toBe(before[index]);
  reader.close();
});

test('a change of another process is seen as soon as that process has acknowledged it', async () => {
  const program = `
    import { openChangeCounter } from ${JSON.stringify(new URL('./change-counts.ts', import.meta.url).href)};
    const counter = openChangeCounter(process.argv.at(-1));
    process.on('message', () => { counter.count('acme'); process.send('done'); });
    process.on('disconnect', () => process.exit(0));
    process.send('ready');
  `;
  const child = fork('-', [path], { execArgv: ['--input-type=module', '--eval', program] });
  await once(child, 'message');
  const reader = openChangeReader(path);
  for (let round = 0; round < 200; round++) {
    const before = reader.read('acme');
    child.send('count');
    await once(child, 'message');
    expect(reader.read('acme')).not.toBe(before);
  }
  reader.close();
  child.disconnect();
  await once(child, 'exit');
});

test('a result is returned again until a change is counted, and never one from before the change', async () => {
  const counts = new Map([['acme', 1]]);
  let askCount = 0;
  let release = () => {};
  const ask = untilChanged(
    (name) => counts.get(name),
    (name) => {
      const number = ++askCount;
      return new Promise<string>((resolve) => {
        release = () => resolve(`${name} ${number}`);
      });
    },
  );
  const first = ask('acme');
  const same = ask('acme');
  counts.set('acme', 2);
  const releaseFirst = release;
  const second = ask('acme');
  release();
  releaseFirst();
  expect(await Promise.all([first, same, second])).toEqual(['acme 1', 'acme 1', 'acme 2']);
  expect(await ask('acme')).toBe('acme 2');
});

test('neither a failure nor a result of an unknown count is returned again', async () => {
  let count: number | undefined = 1;
  let askCount = 0;
  const ask = untilChanged(
    () => count,
    async () => {
      askCount++;
      if (askCount === 1) throw new Error('away');
      return askCount;
    },
  );
  await expect(ask('acme')).rejects.toThrow('away');
  expect(await ask('acme')).toBe(2);
  count = undefined;
  expect(await ask('acme')).toBe(3);
  expect(await ask('acme')).toBe(4);
});
