import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { findBinary } from './tools/binary.ts';
import { missingTools } from './tools/machine.ts';

// A short run of the lab: that all pods start, the matrix by certificates, network policies, a killed replica, and that nothing is left behind.

const missing = missingTools({ canBuild: false });
const names = ['plaintext', 'matrix', 'spoofing', 'egress', 'packets', 'memory', 'replica'];
const main = fileURLToPath(new URL('main.ts', import.meta.url));

test.skipIf(missing.length > 0 && skipped('mesh-lab', 1, missing.join('; ')))(
  'real sidecars around real services do what the manifests say',
  { timeout: 900_000 },
  () => {
    const { status, stdout } = spawnSync(process.execPath, [main, ...names], { encoding: 'utf8', maxBuffer: 64 << 20 });
    expect(status, stdout.slice(-10_000)).toBe(0);
    expect(stdout).toContain(`${names.length} passed, 0 failed, 0 skipped`);
  },
);

const withoutKube = [...missing, ...(findBinary('kube') === undefined ? ['run: npm run mesh:lab -- --kube'] : [])];

test.skipIf(withoutKube.length > 0 && skipped('mesh-lab', 1, withoutKube.join('; ')))(
  'real API servers take the manifests, and real istiods configure the sidecars',
  { timeout: 900_000 },
  () => {
    const { status, stdout } = spawnSync(process.execPath, [main, '--kube', 'api'], { encoding: 'utf8' });
    expect(status, stdout.slice(-10_000)).toBe(0);
    expect(stdout).toContain('1 passed, 0 failed, 0 skipped');
  },
);
