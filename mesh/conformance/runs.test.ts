import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configPath, knownFailuresOf, runs } from './runs.ts';

test('every run says what is supported, and gives the reason of each known failure', () => {
  for (const run of runs) {
    expect(existsSync(configPath(run)), `${configPath(run)} is missing`).toBe(true);
    for (const { pattern, reason } of knownFailuresOf(run)) {
      expect(pattern).toMatch(/^\S.*\/\*\*\//);
      expect(reason.length, `${run.name}: ${pattern}`).toBeGreaterThan(40);
    }
  }
});
