import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configPath, knownFailuresOf, runs } from './runs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('every run has its features and the path of its stack, and gives the reason of each known failure', () => {
  for (const run of runs) {
    expect(existsSync(configPath(run)), `${configPath(run)} is missing`).toBe(true);
    if (run.stack !== undefined) expect(existsSync(join(root, run.stack)), `${run.stack} is missing`).toBe(true);
    for (const { pattern, reason } of knownFailuresOf(run)) {
      expect(pattern).toMatch(/^\S.*\/\*\*\//);
      expect(reason.length, `${run.name}: ${pattern}`).toBeGreaterThan(40);
    }
  }
});
