import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-calibrate-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The command as npm runs it. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, RAGMESH_DATA_DIR: join(folder, 'data') };
  try {
    const done = await promisify(execFile)(process.execPath, ['mesh/run.ts', 'cache:calibrate', ...args], {
      cwd: root,
      env,
    });
    return { code: 0, ...done };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

/** Writes pairs that differ in the subject or in the wording. */
function pairsFile(count: number): string {
  const subjects = '退货 换货 退款 发票 快递 运费 积分 会员 地址 订单 账号 密码 余额 保修 安装 尺码'.split(' ');
  const asked = ['怎么申请', '请问如何申请', '你好，怎样才能申请'];
  const lines = Array.from({ length: count }, (_, index) => {
    const at = (shift: number) => subjects[(Math.floor(index / 2) * 7 + shift) % subjects.length];
    const isSame = index % 2 === 0;
    return `${asked[index % 3]}${at(0)}\t${asked[(index + 1) % 3]}${at(isSame ? 0 : 1 + (index % 15))}\t${Number(isSame)}`;
  });
  const path = join(folder, `pairs-${count}.tsv`);
  writeFileSync(path, lines.join('\n'));
  return path;
}

const calibrationPath = () => join(folder, 'data', 'cache', 'semantic-calibration.json');

test('calibrates for the configured model and reports the hit rate within the budget', async () => {
  const dry = await run(pairsFile(1800), '--dry-run');
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was written') });
  expect(existsSync(calibrationPath())).toBe(false);
  const { code, stdout } = await run(pairsFile(1800));
  expect(code).toBe(0);
  expect(stdout).toMatch(/embedding model hashing-\S+, 256 dimensions/);
  expect(stdout).toMatch(/true hits .* pairs of the same meaning/);
  expect(JSON.parse(readFileSync(calibrationPath(), 'utf8'))).toMatchObject({ languages: ['zh'], budget: 0.01 });
}, 120_000);

test('reports that too few pairs show nothing', async () => {
  const { code, stdout } = await run(pairsFile(100), '--dry-run');
  expect(code).toBe(0);
  expect(stdout).toContain('serves nothing: 0 % of true pairs');
});

test('names the argument that it cannot use', async () => {
  expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('a file of pairs is needed') });
  expect((await run(join(folder, 'none.tsv'))).stderr).toContain('does not exist');
  expect((await run(pairsFile(10), '--budget', '2')).stderr).toContain('--budget is 2');
});
