import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { createSqliteEngine } from '../catalog/engines/sqlite.ts';
import { createSqliteThreads, type SqliteThreads } from '../sqlite/threads.ts';
import type { StoreUnderTest } from '../suites/leak-questions.suite.ts';
import { askKeywords, askTenants, askVectors, writeTenants } from '../suites/leak-run.suite.ts';
import type { LeakParts, ModelTenant } from '../suites/leak-world.suite.ts';

// The questions that the live tests ask of every store 10,000 times (leak.suite.ts), here fewer of them and over fewer tenants; and
// tests that the suite catches a store that leaks.

const tenantCount = 4;
const seed = 7;
let folder: string;
let threads: SqliteThreads;
const opened: LeakParts[] = [];
let vectors: StoreUnderTest;
let keywords: StoreUnderTest;
let tenants: ModelTenant[];
let moved: string[];

async function openParts(): Promise<LeakParts> {
  const at = join(folder, String(opened.length));
  const parts = {
    vectors: await vectorAdapter.create({}, { folder: join(at, 'vectors'), threads }),
    keywords: await keywordAdapter.create({}, { folder: join(at, 'keywords'), threads }),
    catalog: createCatalog(createSqliteEngine(join(at, 'catalog'), threads), seededRandom(1)),
  };
  opened.push(parts);
  return parts;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-leaks-'));
  threads = createSqliteThreads(2);
  const parts = await openParts();
  vectors = askVectors(parts.vectors);
  keywords = askKeywords(parts.keywords);
  ({ tenants, moved } = await writeTenants(parts, keywords, { tenantCount, seed }));
});
afterAll(async () => {
  for (const parts of opened) for (const part of Object.values(parts)) await part.close();
  await threads.close();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (store: StoreUnderTest) => askTenants(store, tenants, { questionCount: 500, seed });

test('no question to the embedded stores is answered across a boundary', async () => {
  expect(moved).toEqual([]);
  for (const store of [vectors, keywords]) {
    const { leaks, faults, askedCount, foundCount } = await ask(store);
    expect({ leaks, faults, askedCount }).toEqual({ leaks: [], faults: [], askedCount: 500 });
    expect(foundCount).toBeGreaterThan(250);
  }
});

const leaking: [what: string, spoil: (store: StoreUnderTest) => Partial<StoreUnderTest>][] = [
  [
    'finds rows with access lists that do not include the caller',
    ({ search }) => ({
      search: (tenant, question, signal) =>
        search(tenant, { ...question, scope: { ...question.scope, aclIds: [1, 2, 3, 4, 5, 6, 7, 8] } }, signal),
    }),
  ],
  [
    'treats every version as the newest',
    ({ search }) => ({
      search(tenant, question, signal) {
        const corpora = question.scope.corpora.map(({ corpusId }) => ({ corpusId, version: 1000 }));
        return search(tenant, { ...question, scope: { ...question.scope, corpora } }, signal);
      },
    }),
  ],
  [
    'forgets the filter',
    ({ search }) => ({
      search: (tenant, question, signal) =>
        search(tenant, { ...question, scope: { ...question.scope, filter: undefined } }, signal),
    }),
  ],
  [
    'treats two tenants as one',
    ({ search }) => ({ search: (tenant, ...rest) => search(tenant.toLowerCase(), ...rest) }),
  ],
  [
    "counts another tenant's rows",
    ({ count }) => ({
      count: async (tenant, ...rest) =>
        (await count(tenant, ...rest)) + (tenant === 'acme-1' ? await count('acme', ...rest) : 0),
    }),
  ],
];

test.for(leaking)('a store that %s is caught', async ([_what, spoil]) => {
  for (const store of [vectors, keywords]) expect((await ask({ ...store, ...spoil(store) })).leaks).not.toEqual([]);
});

test('a store that scores by what others have written is caught', async () => {
  const parts = await openParts();
  let writeCount = 0;
  const counting: typeof parts.keywords = {
    ...parts.keywords,
    apply(...args) {
      writeCount++;
      return parts.keywords.apply(...args);
    },
  };
  const asked = askKeywords(parts.keywords);
  const search: StoreUnderTest['search'] = async (...args) =>
    (await asked.search(...args)).map((hit) => ({ ...hit, score: hit.score / writeCount }));
  const report = await writeTenants({ ...parts, keywords: counting }, { ...asked, search }, { tenantCount, seed });
  expect(report.moved).not.toEqual([]);
});

test('a store that loses a hit or gives a wrong score is caught', async () => {
  const losing: StoreUnderTest = { ...keywords, search: async (...args) => (await keywords.search(...args)).slice(1) };
  expect((await ask(losing)).faults).not.toEqual([]);
  const search: StoreUnderTest['search'] = async (...args) =>
    (await vectors.search(...args)).map((hit) => ({ ...hit, score: hit.score - 0.01 }));
  expect((await ask({ ...vectors, search })).faults).not.toEqual([]);
});
