import { expect, test } from 'vitest';
import { probe, startMarkedMesh } from './probes.ts';

// `npm run leaks` sends as many as it is given.
test('no face returns, in any of 400 replies to random callers, a word of a document that its caller may not see', async () => {
  await using marked = await startMarkedMesh();
  const { leaks, failures, seenCount, probeCount } = await probe(marked, 400, 1);
  expect(leaks).toEqual([]);
  expect(failures).toEqual([]);
  expect(seenCount / probeCount).toBeGreaterThan(0.3);
}, 180_000);
