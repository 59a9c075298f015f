import { expect, test } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { binaryAdvice, findBinary } from '../tools/binary.ts';
import { simulate } from './main.ts';

const binary = findBinary();

test.skipIf(binary === undefined && skipped('mesh-sim', 1, binaryAdvice))(
  'Istio makes of the manifests what the matrix says, in one cluster and in two regions',
  { timeout: 300_000 },
  () => {
    const results = simulate(binary as string, () => {});
    expect([...results.keys()]).toEqual([
      'services, cluster local',
      'grouped, cluster local',
      'services with gateway-api, cluster local',
      'grouped with gateway-api, cluster local',
      'regions, cluster cn',
      'regions, cluster eu',
    ]);
    for (const [installation, checks] of results) {
      expect(
        checks.flatMap(({ problems }) => problems),
        installation,
      ).toEqual([]);
      expect(checks.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(100);
    }
  },
);
