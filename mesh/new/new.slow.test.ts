import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../tools.ts';

// Both commands in a copy of the tree, and every check on what they write.

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'ragmesh-new-'));
  const listed = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  for (const path of listed.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(root, path), join(copy, path));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  // The linter finds its files by git.
  execFileSync('git', ['init', '-q'], { cwd: copy });
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Runs a program of the repository in the copy. Returns what it has printed, and its status. */
const run = (script: string, ...args: string[]): [status: number | null, output: string] => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: copy, encoding: 'utf8' });
  return [status, `${stdout}${stderr}`];
};
const created = (...args: string[]) => run('mesh/new/main.ts', ...args);
const tool = (packageName: string, binary: string, ...args: string[]) => {
  const folder = join(copy, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  return run(join(folder, bin[binary] ?? ''), ...args);
};
const passed = [0, expect.any(String)];

test('a new service and new adapters pass the types, the linter, the project rules and their own tests', () => {
  expect(created('service', 'price-list')).toEqual([0, expect.stringContaining('services/price-list/index.ts')]);
  expect(created('adapter', 'rerank/rerank-model', 'acme')).toEqual(passed);
  expect(created('adapter', 'cache/answer-store', 'acme-store')).toEqual(passed);
  expect(created('adapter', 'retrieval/vector-store', 'acme')).toEqual(passed);

  expect(tool('typescript', 'tsc', '-p', '.', '--checkers', '2')).toEqual([0, '']);
  expect(tool('@biomejs/biome', 'biome', 'check', '--error-on-warnings', 'services', 'mesh/run.ts')).toEqual(passed);
  expect(tool('@bufbuild/buf', 'buf', 'lint', '--path', 'proto/ragmesh')).toEqual([0, '']);
  expect(run('mesh/reference/render.ts', '--check')).toEqual([0, '']);
  expect(run('mesh/istio/render.ts', '--check')).toEqual([0, '']);
  const tests = [
    'mesh/istio/check',
    'mesh/tidy',
    'services/price-list',
    'services/rerank/adapters/rerank-model/acme.test.ts',
    'services/cache/adapters/answer-store/acme-store.test.ts',
    'services/retrieval/adapters/vector-store/acme.test.ts',
  ];
  expect(tool('vitest', 'vitest', 'run', ...tests)).toEqual(passed);
}, 600_000);

test('a name that is taken or is none, and a port that does not exist, are refused, and nothing is written', () => {
  expect(created('service', 'audit')).toEqual([1, expect.stringContaining('exists already')]);
  expect(created('service', 'Price List')).toEqual([1, expect.stringContaining('is not a name')]);
  expect(created('adapter', 'rerank/nothing', 'acme')).toEqual([1, expect.stringContaining('rerank/rerank-model')]);
});
