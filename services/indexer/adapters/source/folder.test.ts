import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import type { EntryAccess } from '../../sources/source.ts';
import { sourceSuite } from '../../suites/source.suite.ts';
import { openTestSource } from '../../testing/source-deps.ts';

const never = new AbortController().signal;
const newFolder = () => mkdtempSync(join(tmpdir(), 'ragmesh-source-'));

sourceSuite('folder', async () => {
  const root = newFolder();
  mkdirSync(join(root, '退货', 'sub'), { recursive: true });
  const path = (name: string) => join(root, name === 'a' ? '退货/sub' : '', `${name}.md`);
  return {
    open: () => openTestSource('folder', { path: root }),
    async put(name, text) {
      writeFileSync(path(name), text);
      return name === 'a' ? '退货/sub/a.md' : `${name}.md`;
    },
    remove: async (name) => rmSync(path(name)),
    // Also for root, whom permissions do not stop, the folder is not there.
    async breakListing() {
      renameSync(root, `${root}-away`);
      return async () => renameSync(`${root}-away`, root);
    },
    close: async () => rmSync(root, { recursive: true }),
  };
});

test('hidden files, links and other endings are not read, and a file that became a link is gone', async () => {
  const root = newFolder();
  const outside = newFolder();
  writeFileSync(join(outside, 'secret.md'), 'secret');
  writeFileSync(join(root, 'a.md'), 'a');
  writeFileSync(join(root, 'b.exe'), 'b');
  writeFileSync(join(root, '.hidden.md'), 'h');
  symlinkSync(join(outside, 'secret.md'), join(root, 'link.md'));
  symlinkSync(outside, join(root, 'folder'));
  const source = await openTestSource('folder', { path: root, endings: ['.MD'] });
  expect(await collect(source.ids(never))).toEqual([['a.md']]);
  for (const id of ['link.md', 'folder/secret.md', `../${outside.split('/').at(-1)}/secret.md`, '..', '.']) {
    expect(await source.fetch(id, '', never), id).toEqual({ kind: 'gone' });
  }
  await source.close();
  rmSync(root, { recursive: true });
  rmSync(outside, { recursive: true });
});

test('a file of rules says who may see the others, and is none of them', async () => {
  const root = newFolder();
  mkdirSync(join(root, 'hr'));
  for (const name of ['a.md', 'hr/b.md']) writeFileSync(join(root, name), name);
  writeFileSync(join(root, 'access.yaml'), 'rules: [{ path: hr/, groups: [hr] }]');
  const source = await openTestSource('folder', { path: root, access_file: 'access.yaml' });
  expect(await collect(source.ids(never))).toEqual([['a.md', 'hr/b.md']]);
  expect(await source.fetch('access.yaml', '', never)).toEqual({ kind: 'gone' });
  const access = async () => {
    const found: EntryAccess[] = [];
    for await (const page of source.permissions?.(never) ?? []) found.push(...page);
    return found;
  };
  expect(await access()).toEqual([
    { id: 'a.md', groups: [] },
    { id: 'hr/b.md', groups: ['hr'] },
  ]);
  for (const breakRules of [
    () => writeFileSync(join(root, 'access.yaml'), 'rules: everyone'),
    () => rmSync(join(root, 'access.yaml')),
  ]) {
    breakRules();
    await expect(access()).rejects.toThrow();
  }
  await source.close();
  rmSync(root, { recursive: true });
});

test('a file that is too large is gone', async () => {
  const root = newFolder();
  writeFileSync(join(root, 'large.md'), 'x'.repeat(11));
  const source = await openTestSource('folder', { path: root }, { maxBytes: 10 });
  expect(await source.fetch('large.md', '', never)).toEqual({ kind: 'gone' });
  await source.close();
  rmSync(root, { recursive: true });
});

test('a change is reported', async () => {
  const root = newFolder();
  const source = await openTestSource('folder', { path: root });
  const changed = Promise.withResolvers<void>();
  const stop = source.watch?.(changed.resolve);
  writeFileSync(join(root, 'a.md'), 'a');
  await changed.promise;
  stop?.();
  await source.close();
  rmSync(root, { recursive: true });
});
