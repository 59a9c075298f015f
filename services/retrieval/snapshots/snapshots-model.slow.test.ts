import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import { createSqliteThreads } from '../sqlite/threads.ts';
import type { Change, Hit, RowFilter, SearchScope } from '../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../stores/keyword-store.ts';
import type { VectorRow, VectorStore } from '../stores/vector-store.ts';
import { anyFilter, anyRow } from '../suites/row-filter.suite.ts';
import { bm25Scores, createRowModel, type ModelRow, type RowModel } from '../testing/row-model.ts';
import { createSureSnapshots } from '../testing/snapshots.ts';
import { createBuilder } from './build/builder.ts';
import { createSearchThreads } from './search/search-threads.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';

// Random builds, publishes, rollbacks, purges and changes of access by several tenants, with searches beside each of them: the stores with
// snapshots must find exactly what a plain model finds, also after restarts that load images.

type Row = VectorRow & KeywordRow;

const space = { model: 'm', dimensions: 4 };
const notAborted = new AbortController().signal;
const asked = [
  { word: 'sun', weight: 1 },
  { word: 'pear', weight: 0.5 },
  { word: 'corn', weight: 2 },
];
// Words that are their own stems.
const word = fc.constantFrom('sun', 'pear', 'corn', 'plum', 'fig', 'lamp');
const row = fc.record({
  init: anyRow,
  angle: fc.integer({ min: 0, max: 300 }),
  words: fc.array(word, { minLength: 1, maxLength: 8 }),
});
const documentIds = fc.subarray(['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6']);
const search = fc.record({
  aclIds: fc.subarray([1, 2, 3], { minLength: 1 }),
  filter: fc.option(anyFilter, { nil: undefined }),
  limit: fc.integer({ min: 1, max: 12 }),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), rows: fc.array(row, { maxLength: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abandon' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('purge' as const), documentIds }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('access' as const), documentIds, aclId: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), nth: fc.nat(20) }) },
);
const restart = fc.option(
  fc.record({
    // Whether images that are being written are completed before, and whether corpora are in memory until the next restart.
    settles: fc.boolean(),
    isInMemory: fc.boolean(),
    damage: fc.constantFrom('none' as const, 'none' as const, 'cut' as const, 'flip' as const, 'erase' as const),
  }),
  { nil: undefined, freq: 2 },
);
type Restart = NonNullable<typeof restart extends fc.Arbitrary<infer T> ? T : never>;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Search = typeof search extends fc.Arbitrary<infer T> ? T : never;

interface Stores {
  vectors: VectorStore;
  keywords: KeywordStore;
  /** Whether snapshots answer; SQLite has other scores of words. */
  isInMemory: boolean;
  restart(how: Restart): Promise<void>;
}

interface Tenant {
  name: string;
  model: RowModel<Row>;
  /** The version that is searched, and the one that is being built. */
  live: number;
  building: number;
}

let lastKey = 0;
let lastTenant = 0;

/** Returns the change of a step, after the versions of the tenant have followed it. */
function changeOf(tenant: Tenant, given: Step): Change<Row> {
  switch (given.kind) {
    case 'write': {
      const rows = given.rows.map(
        ({ init, angle, words }): Row => ({
          ...init,
          ...{ key: ++lastKey, chunkId: `${init.documentId}#${lastKey}`, title: '', text: words.join(' ') },
          vector: Float32Array.of(Math.cos(angle / 100), Math.sin(angle / 100), 0, 0),
        }),
      );
      const documents = [...new Set(rows.map(({ documentId }) => documentId))];
      return { kind: 'replace', version: tenant.building, documentIds: documents, rows };
    }
    case 'publish':
      tenant.live = tenant.building++;
      return { kind: 'retain', oldest: Math.max(1, tenant.live - 1), newest: tenant.building };
    case 'rollback': {
      // What was built on the version that is left must go before another build.
      const oldest = Math.max(1, tenant.live - 1);
      tenant.live = oldest;
      tenant.building++;
      return { kind: 'retain', oldest, newest: oldest };
    }
    case 'abandon':
      return { kind: 'retain', oldest: Math.max(1, tenant.live - 1), newest: Math.max(1, tenant.live) };
    case 'purge':
      return given;
    case 'access':
      return { ...given, version: tenant.live };
    case 'forget': {
      const rows = tenant.model.at(tenant.live);
      return { kind: 'forget', keys: rows.slice(given.nth, given.nth + 1).map(({ key }) => key) };
    }
    default:
      return given satisfies never;
  }
}

async function apply({ vectors, keywords }: Stores, tenant: string, change: Change<Row>): Promise<void> {
  await Promise.all([vectors.apply(tenant, 1, space, change), keywords.apply(tenant, 1, change)]);
}

async function find(
  { vectors, keywords }: Stores,
  tenant: string,
  version: number,
  { limit, aclIds, filter }: Search,
): Promise<[Hit[], Hit[]]> {
  const scope: SearchScope = { corpora: [{ corpusId: 1, version }], aclIds, filter };
  return Promise.all([
    vectors.search(tenant, { space, vector: Float32Array.of(1, 0, 0, 0), scope, limit }, notAborted),
    keywords.search(tenant, { text: 'sun pear corn', words: asked, scope, limit }, notAborted),
  ]);
}

/** Returns what {@link find} must return: the best rows of each list of scores. */
function expectedOf(model: RowModel<Row>, version: number, { limit, aclIds, filter }: Search) {
  const visible = model.visible(version, aclIds, filter as RowFilter | undefined);
  const scores = bm25Scores(model.at(version), asked);
  const best = (scoreOf: (row: ModelRow<Row>) => number | undefined) =>
    visible
      .flatMap((one) => {
        const score = scoreOf(one);
        return score === undefined ? [] : [{ key: one.key, documentId: one.documentId, score }];
      })
      .sort((a, b) => b.score - a.score || a.key - b.key)
      .slice(0, limit);
  return { near: best(({ vector }) => vector[0]), words: best((one) => scores.get(one)) };
}

function expectFound([near, words]: [Hit[], Hit[]], expected: ReturnType<typeof expectedOf>): void {
  for (const [found, wanted] of [
    [near, expected.near],
    [words, expected.words],
  ] as const) {
    expect(found.map(({ key, documentId }) => [key, documentId])).toEqual(
      wanted.map(({ key, documentId }) => [key, documentId]),
    );
    for (const [index, { score }] of found.entries()) expect(score).toBeCloseTo(wanted[index]?.score as number, 5);
  }
}

/** What images there were in a run. */
type Outcomes = Map<string, number>;

/** Runs `work` with stores that have `maxBytes` for their snapshots, and images of every corpus if `outcomes` gets what became of them. */
async function withStores(
  maxBytes: number,
  work: (stores: Stores) => Promise<void>,
  outcomes?: Outcomes,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-snapshots-'));
  const threads = createSqliteThreads(2);
  let lastId = 0;
  const newId = () => `i${++lastId}`;
  const onOutcome = (outcome: string) => outcomes?.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const images = outcomes === undefined ? undefined : { newId, minRows: 1, onOutcome };
  const [searching, builder] = [createSearchThreads(1), createBuilder()];
  const options = { threads: searching, builder, images };
  const openAll = async (bytes: number) => {
    const newSnapshots = () => (bytes === 0 ? createSnapshots(0, options) : createSureSnapshots(bytes, options));
    const held = [newSnapshots(), newSnapshots()] as const;
    const deps = (name: string, snapshots: Snapshots) => ({ folder: join(folder, name), threads, snapshots });
    const vectors = await vectorAdapter.create({}, deps('vectors', held[0]));
    const keywords = await keywordAdapter.create({}, deps('keywords', held[1]));
    return { held, vectors, keywords, isInMemory: bytes > 0 };
  };
  const closeAll = async () => {
    for (const store of [stores.vectors, stores.keywords]) await store.close();
  };
  let opened = await openAll(maxBytes);
  const stores: Stores = {
    ...opened,
    async restart({ settles, isInMemory, damage }) {
      if (settles) for (const snapshots of opened.held) await snapshots.idle();
      await closeAll();
      for (const name of ['vectors', 'keywords']) damageImages(join(folder, name), damage);
      opened = await openAll(isInMemory ? maxBytes : 0);
      Object.assign(stores, opened);
    },
  };
  try {
    await work(stores);
  } finally {
    await closeAll();
    for (const part of [builder, searching, threads]) await part.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function damageImages(folder: string, damage: Restart['damage']): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.image'))) {
    const path = join(folder, name);
    const { size } = statSync(path);
    if (damage === 'cut') truncateSync(path, Math.floor(size / 2));
    if (damage === 'erase') rmSync(path);
    if (damage !== 'flip') continue;
    const bytes = readFileSync(path);
    const at = Math.floor(size / 3);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
  }
}

const property = (stores: Stores, restarts: fc.Arbitrary<Restart | undefined> = fc.constant(undefined)) =>
  fc.asyncProperty(
    fc.array(fc.tuple(fc.nat(2), step, search, restarts), { minLength: 20, maxLength: 60 }),
    async (steps) => {
      const tenants = Array.from(
        { length: 3 },
        (): Tenant => ({ name: `t${++lastTenant}`, model: createRowModel(), live: 1, building: 2 }),
      );
      for (const [index, given, wanted, how] of steps) {
        if (how !== undefined) await stores.restart(how);
        const tenant = tenants[index] as Tenant;
        const { name, model, live } = tenant;
        const before = expectedOf(model, live, wanted);
        const change = changeOf(tenant, given);
        const applied = apply(stores, name, change);
        // A write belongs to a version that is not searched: searches beside it see nothing of it.
        if (given.kind === 'write' && stores.isInMemory) expectFound(await find(stores, name, live, wanted), before);
        await applied;
        model.apply(change);
        if (!stores.isInMemory) continue;
        expectFound(await find(stores, name, tenant.live, wanted), expectedOf(model, tenant.live, wanted));
      }
    },
  );

test('searches find exactly what a plain model finds, before, during and after any change', () =>
  withStores(64_000_000, (stores) => fc.assert(property(stores), { numRuns: 6 })));

test('the same with memory for one tenant or two, whose snapshots are released and loaded again', () =>
  withStores(30_000, (stores) => fc.assert(property(stores), { numRuns: 4 })));

test('the same through restarts, from images that are whole, damaged or gone, with changes while no corpus was in memory', async () => {
  const outcomes: Outcomes = new Map();
  await withStores(
    64_000_000,
    (stores) => fc.assert(property(stores, restart), { numRuns: 5, endOnFailure: true }),
    outcomes,
  );
  for (const outcome of ['written', 'used', 'unusable', 'none'])
    expect(outcomes.get(outcome), outcome).toBeGreaterThan(0);
  expect(outcomes.get('failed') ?? 0).toBe(0);
});
