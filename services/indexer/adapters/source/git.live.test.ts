import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { sourceSuite } from '../../suites/source.suite.ts';
import { openTestSource } from '../../testing/source-deps.ts';

const never = new AbortController().signal;

/** Creates a repository, and returns what a test does with it. */
function createRepository() {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-git-'));
  const work = join(folder, 'work');
  mkdirSync(join(work, 'docs'), { recursive: true });
  const env = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const as = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
  const git = (...args: string[]) => execFileSync('git', [...as, ...args], { cwd: work, env, stdio: 'pipe' });
  git('init', '-q', '-b', 'main');
  let copyCount = 0;
  return {
    work,
    git,
    commit() {
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', 'c');
    },
    open: (settings: object = {}) => {
      const copy = join(folder, `copy-${copyCount++}`);
      mkdirSync(copy);
      return openTestSource('git', { url: work, prefix: 'docs/', ...settings }, { scratchFolder: async () => copy });
    },
    close: async () => rmSync(folder, { recursive: true }),
  };
}

describe.skipIf(!hasCommand('git') && skipped('git', 9, 'apt-get install git'))('a real git', () => {
  sourceSuite('git', async () => {
    const repository = createRepository();
    const path = (name: string) => join(repository.work, 'docs', `${name}.md`);
    return {
      open: () => repository.open(),
      async put(name, text) {
        writeFileSync(path(name), text);
        repository.commit();
        return `docs/${name}.md`;
      },
      async remove(name) {
        rmSync(path(name));
        repository.commit();
      },
      async breakListing() {
        renameSync(join(repository.work, '.git'), join(repository.work, 'away'));
        return async () => renameSync(join(repository.work, 'away'), join(repository.work, '.git'));
      },
      close: repository.close,
    };
  });

  test('only files of the branch and folder are read, and no links', async () => {
    const repository = createRepository();
    const { work } = repository;
    writeFileSync(join(work, 'docs', '退货 政策.md'), 'r');
    writeFileSync(join(work, 'docs', 'tool.exe'), 'x');
    writeFileSync(join(work, 'README.md'), 'r');
    symlinkSync('/etc/passwd', join(work, 'docs', 'link.md'));
    repository.commit();
    repository.git('checkout', '-q', '-b', 'draft');
    writeFileSync(join(work, 'docs', 'draft.md'), 'd');
    repository.commit();
    const read = async (settings: object) => {
      const source = await repository.open(settings);
      const ids = (await collect(source.ids(never))).flat();
      await source.close();
      return ids;
    };
    expect(await read({ branch: 'main' })).toEqual(['docs/退货 政策.md']);
    expect(await read({ branch: 'draft' })).toContain('docs/draft.md');
    const source = await repository.open({ branch: 'main', url_prefix: 'https://git.example/blob/main/' });
    expect(await source.fetch('docs/退货 政策.md', '', never)).toMatchObject({
      content: { url: 'https://git.example/blob/main/docs/%E9%80%80%E8%B4%A7%20%E6%94%BF%E7%AD%96.md' },
    });
    await source.close();
    await repository.close();
  });

  test.each([
    ['ext::sh -c touch% /tmp/x', 'must be an http or https address'],
    ['ssh://git@example.com/x', 'must be an http or https address'],
    ['https://user:pw@example.com/x', 'must be an http or https address'],
    ['http://169.254.169.254/x.git', 'is no address on the public internet'],
    ['--upload-pack=x', 'no such folder'],
  ])('%s is refused', async (url, words) => {
    const deps = { allow: [], allowPath: () => Promise.reject(new Error('no such folder')) };
    await expect(openTestSource('git', { url }, deps)).rejects.toThrow(words);
  });
});
