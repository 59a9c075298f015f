import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the checks run on the Node that runs them, whatever node is first on the PATH', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-path-'));
  try {
    const other = join(folder, 'node');
    writeFileSync(other, '#!/bin/sh\necho "the node of the PATH" >&2\nexit 9\n');
    chmodSync(other, 0o755);
    const program = `
      import { generateInto, runTool } from ${JSON.stringify(new URL('./tools.ts', import.meta.url))};
      const failed = ['biome', 'buf', 'tsc', 'vitest'].map((tool) => runTool(tool, '--version'));
      process.stdout.write(JSON.stringify([...failed, generateInto(${JSON.stringify(folder)})]));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { PATH: `${folder}:/usr/bin:/bin`, HOME: folder },
    });
    expect({ stdout, stderr }).toEqual({ stdout: '[null,null,null,null,null]', stderr: '' });
    expect(existsSync(join(folder, 'gen', 'ragmesh', 'testing', 'v1', 'echo_pb.ts'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
