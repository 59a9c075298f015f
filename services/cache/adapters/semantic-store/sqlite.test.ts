import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { keyOf, type SemanticStoreTestDeps, semanticStoreSuite, vectorAt } from '../../suites/semantic-store.suite.ts';
import { adapter } from './sqlite.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ragmesh-semantic-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = async (deps: SemanticStoreTestDeps, folder = mkdtempSync(join(root, 'store-'))) =>
  adapter.create({}, { ...deps, folder });

semanticStoreSuite('sqlite', (deps) => open(deps));

test('questions outlive the process, and those of another model are not seen', async () => {
  const folder = mkdtempSync(join(root, 'store-'));
  const deps = {
    clock: () => 1000,
    random: Math.random,
    log: createLogger('silent'),
    maxPerScope: 10,
    maxPerTenant: 10,
    dimensions: 8,
    embeddingModel: 'one',
  };
  const { signal } = new AbortController();
  const first = await open(deps, folder);
  const entry = {
    tenant: 't',
    scopeKey: 's',
    key: keyOf(1),
    question: 'q',
    vector: vectorAt(0),
    documentIds: [],
    storedAtMs: 1,
    expiresAtMs: 9999,
  };
  await first.put(entry, signal);
  await first.close();
  for (const [embeddingModel, count] of [
    ['one', 1],
    ['two', 0],
  ] as const) {
    const again = await open({ ...deps, embeddingModel }, folder);
    expect(await again.count('t', signal)).toBe(count);
    await again.close();
  }
});
