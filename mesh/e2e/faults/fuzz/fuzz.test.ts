import { expect, test } from 'vitest';
import { stretched } from '#kit/testing/time.ts';
import { services } from '../../../run.ts';
import { startWholeMesh } from '../../testing/whole-mesh.ts';
import { describeFault, edgeRequests, fuzz } from './fuzz.ts';
import { knownValues } from './known-values.ts';

test('no request of 2,000, by any protocol, makes the server fail or waits without end', async () => {
  await using mesh = await startWholeMesh();
  const report = await fuzz(mesh.edgeUrl, edgeRequests(services, knownValues, mesh.devKey), {
    count: 2000,
    seed: 20_261_201,
    concurrency: 16,
    timeoutMs: stretched(20_000),
  });
  expect(report.faults.map(describeFault).join('\n\n')).toBe('');
  // Requests come as far as the services, and each kind of client's mistake is among them.
  for (const code of ['OK', 'InvalidArgument', 'NotFound', 'Unauthenticated'])
    expect(report.codes.keys()).toContain(code);
  const isOpen = async () => /^ragmesh_calls_open (\d+)/m.exec(await mesh.host.metrics.registry.metrics())?.[1];
  await expect.poll(isOpen, { timeout: 15_000 }).toBe('0');
}, 180_000);
