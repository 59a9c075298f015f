import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { root } from '../tools.ts';

function hasCompose(): boolean {
  try {
    execFileSync('docker', ['compose', 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasCompose() && skipped('docker compose', 4, 'apt-get install docker.io docker-compose'))(
  'docker compose',
  () => {
    test.each([
      [['compose.yaml']],
      [['compose.full.yaml']],
      [['compose.yaml', 'compose.observability.yaml']],
      [['compose.full.yaml', 'compose.observability.yaml']],
    ])('accepts %j', (files) => {
      const options = files.flatMap((file) => ['-f', join(root, 'deployments', file)]);
      const output = execFileSync('docker', ['compose', ...options, '--profile', '*', 'config', '--services'], {
        encoding: 'utf8',
      });
      expect(output.split('\n')).toContain('postgres');
    });
  },
);
