import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../tools.ts';

describe('npm run mesh:check', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'mesh/istio/check.ts'), ...args], { encoding: 'utf8', timeout: 280_000 });

  test('passes with the tools that are installed, and counts those that are not', () => {
    const { status, stdout } = run();
    process.stderr.write(stdout.replace(/^(?!skip).*\n(?! )/gm, ''));
    expect(stdout).toMatch(/\d+ passed, 0 failed, \d+ skipped\n$/);
    expect(status).toBe(0);
  });
});
