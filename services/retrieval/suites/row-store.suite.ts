import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { Change, Hit, IndexRow, RowFilter, SearchScope } from '../stores/index-row.ts';
import { anyFilter, anyRow, passes } from './row-filter.suite.ts';

// Tests that vector and keyword stores share: rows, their changes, and scopes. Every row here matches every query, so the hits are exactly the
// rows of the scope.

/** A store under test. */
export interface RowStore {
  /** Rows with a lower `rank` are first in the results of `search`. */
  replace(tenant: string, corpusId: number, version: number, rows: RankedRow[], documentIds?: string[]): Promise<void>;
  apply(tenant: string, corpusId: number, change: Exclude<Change<IndexRow>, { kind: 'replace' }>): Promise<void>;
  /** Searches for a word or vector that every row has. */
  search(tenant: string, scope: SearchScope, limit: number, signal: AbortSignal): Promise<Hit[]>;
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
  listKeys(tenant: string, corpusId: number, after: number, limit: number, signal: AbortSignal): Promise<number[]>;
}

/** A row with its rank among the results, from 0. */
export interface RankedRow extends IndexRow {
  rank: number;
}

/** The server of a store, for tests that kill it. */
export interface StoreServer {
  /** Kills it immediately. */
  kill(): Promise<void>;
  /** Starts it again at the same address with the data on its disk, and resolves when it answers. */
  start(): Promise<void>;
}

/** Options of the suite. */
export interface SuiteOptions {
  /** Returns the store's server, if it has one that a test may kill. Called when the test needs it. */
  server?: () => StoreServer;
}

/** Time for a test of many rows: a server may share a small machine. */
const slowMs = 120_000;

const notAborted = new AbortController().signal;
const all = { aclIds: [1], filter: undefined };
const oddTexts = [
  'a',
  'A',
  'a*',
  'a b',
  'a,b',
  'a|b',
  '{a}',
  '"a"',
  "a' OR 1=1 --",
  'a\\',
  '@a:{b}',
  '$a.b',
  '%_',
  '文档',
  '😀👨‍👩‍👧',
  'x'.repeat(256),
];

let lastKey = 1_000_000;

/** Returns a row of a document. */
export function rankedRow(documentId: string, init: Partial<RankedRow> = {}): RankedRow {
  const key = ++lastKey;
  return {
    key,
    chunkId: `${documentId}#${key}`,
    documentId,
    aclId: 1,
    language: 0,
    updatedMs: undefined,
    attributes: {},
    rank: 0,
    ...init,
  };
}

/** Defines the tests. `open` returns the store, `newTenant` a tenant without rows. */
export function rowStoreTests(open: () => RowStore, newTenant: () => string, { server }: SuiteOptions = {}): void {
  let store: RowStore;
  beforeAll(() => {
    store = open();
  });
  const at = (version: number, corpusId = 1): SearchScope => ({ corpora: [{ corpusId, version }], ...all });
  const find = async (tenant: string, scope: SearchScope, limit = 100) =>
    (await store.search(tenant, scope, limit, notAborted)).map(({ documentId }) => documentId).toSorted();
  const write = (tenant: string, version: number, rows: RankedRow[], corpusId = 1) =>
    store.replace(tenant, corpusId, version, rows);

  test(
    'a large batch is written whole, once however often it is written, and counted as it is found',
    async () => {
      const tenant = newTenant();
      const batch = () => Array.from({ length: 800 }, (_, index) => rankedRow(`d${index % 600}`, { rank: index % 50 }));
      await write(tenant, 1, batch());
      const rows = batch();
      await write(tenant, 1, rows);
      expect(await store.count(tenant, 1, 1, notAborted)).toBe(800);
      const keys: number[] = [];
      for (let after = 0; ; after = keys.at(-1) as number) {
        const page = await store.listKeys(tenant, 1, after, 300, notAborted);
        keys.push(...page);
        if (page.length < 300) break;
      }
      expect(keys).toEqual(rows.map(({ key }) => key));
      const hits = await store.search(tenant, at(1), 500, notAborted);
      expect(new Set(hits.map(({ key }) => key)).size).toBe(500);
    },
    slowMs,
  );

  test(
    'a change over many documents touches them all and no other',
    async () => {
      const tenant = newTenant();
      const names = Array.from({ length: 700 }, (_, index) => `d${index}`);
      await write(
        tenant,
        1,
        names.map((name) => rankedRow(name)),
      );
      await store.replace(tenant, 1, 2, [], names.slice(0, 600));
      expect(await store.count(tenant, 1, 1, notAborted)).toBe(700);
      expect(await store.count(tenant, 1, 2, notAborted)).toBe(100);
      await store.apply(tenant, 1, { kind: 'purge', documentIds: names.slice(100) });
      expect(await store.count(tenant, 1, 1, notAborted)).toBe(100);
      expect(await store.count(tenant, 1, 2, notAborted)).toBe(0);
    },
    slowMs,
  );

  test('an access list goes to the rows of versions up to its own, and to no other document or corpus', async () => {
    const tenant = newTenant();
    const names = Array.from({ length: 30 }, (_, index) => `d${index}`);
    const rows = () => names.map((name) => rankedRow(name));
    await write(tenant, 1, rows());
    await write(tenant, 1, rows(), 2);
    await write(tenant, 2, rows());
    await write(tenant, 3, rows());
    const closed = names.slice(0, 20);
    const change = { kind: 'access', version: 2, documentIds: closed, aclId: 7 } as const;
    // A search first, so that a store which keeps versions in memory has them.
    expect(await find(tenant, at(1))).toEqual(names.toSorted());
    await store.apply(tenant, 1, change);
    await store.apply(tenant, 1, change);
    const open = names.slice(20).toSorted();
    const seven = (version: number) => ({ ...at(version), aclIds: [7] });
    for (const version of [1, 2]) {
      expect(await find(tenant, at(version))).toEqual(open);
      expect(await find(tenant, seven(version))).toEqual(closed.toSorted());
      expect(await store.count(tenant, 1, version, notAborted)).toBe(30);
    }
    expect(await find(tenant, at(3))).toEqual(names.toSorted());
    expect(await find(tenant, seven(3))).toEqual([]);
    expect(await find(tenant, at(1, 2))).toEqual(names.toSorted());
    await store.apply(tenant, 1, { ...change, documentIds: [] });
    expect(await find(tenant, at(2))).toEqual(open);
  });

  test('an empty list deletes nothing', async () => {
    const tenant = newTenant();
    await write(tenant, 1, [rankedRow('a'), rankedRow('b')]);
    await store.apply(tenant, 1, { kind: 'purge', documentIds: [] });
    await store.apply(tenant, 1, { kind: 'forget', keys: [] });
    await store.replace(tenant, 1, 2, [], []);
    expect(await find(tenant, at(1))).toEqual(['a', 'b']);
    expect(await find(tenant, at(2))).toEqual(['a', 'b']);
    expect(await find(tenant, { ...at(1), aclIds: [] })).toEqual([]);
    expect(await find(tenant, { ...at(1), corpora: [] })).toEqual([]);
  });

  test('a version is built, read, rolled back and dropped while the one before it stays as it is', async () => {
    const tenant = newTenant();
    await write(tenant, 1, [rankedRow('a'), rankedRow('b'), rankedRow('c')]);
    await write(tenant, 2, [rankedRow('a'), rankedRow('d')]);
    await store.replace(tenant, 1, 2, [], ['b']);
    expect(await find(tenant, at(2))).toEqual(['a', 'c', 'd']);
    expect(await find(tenant, at(1))).toEqual(['a', 'b', 'c']);
    const drop = { kind: 'retain', oldest: 1, newest: 1 } as const;
    await store.apply(tenant, 1, drop);
    await store.apply(tenant, 1, drop);
    expect(await find(tenant, at(1))).toEqual(['a', 'b', 'c']);
    // What the dropped version had removed belongs to the versions that follow.
    expect(await find(tenant, at(2))).toEqual(['a', 'b', 'c']);
    expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toHaveLength(3);
    await store.apply(tenant, 1, { kind: 'retain', oldest: 0, newest: 0 });
    expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toEqual([]);
    expect(await store.count(tenant, 1, 1, notAborted)).toBe(0);
    await write(tenant, 1, [rankedRow('again')]);
    expect(await find(tenant, at(1))).toEqual(['again']);
  });

  test(
    'queries never see two versions mixed, whatever is built, retained or purged beside them',
    async () => {
      const tenant = newTenant();
      const documents = Array.from({ length: 20 }, (_, index) => `d${index}`);
      const build = (version: number) =>
        write(
          tenant,
          version,
          documents.map((name) => rankedRow(name, { chunkId: `v${version}` })),
        );
      await build(1);
      let live = 1;
      let isOver = false;
      const answered = [0, 0];
      const query = async (asker: number) => {
        while (!isOver) {
          const version = live;
          const hits = await store.search(tenant, at(version), 100, notAborted);
          expect(hits.map(({ chunkId }) => chunkId)).toEqual(documents.map(() => `v${version}`));
          answered[asker] = (answered[asker] as number) + 1;
          // Gives the writer a turn, even if the store answers without waiting.
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const change = async () => {
        try {
          for (let version = 2; version <= 6; version++) {
            await build(version);
            live = version;
            // The queries of the version before are over once each has had another answer.
            const seen = [...answered];
            const isBefore = (count: number, asker: number) => count < (seen[asker] as number) + 2;
            while (answered.some(isBefore) && !isOver) await new Promise((resolve) => setImmediate(resolve));
            await store.apply(tenant, 1, { kind: 'retain', oldest: version, newest: version });
            await store.apply(tenant, 1, { kind: 'purge', documentIds: ['unknown'] });
          }
        } finally {
          isOver = true;
        }
      };
      const fail = (error: unknown) => {
        isOver = true;
        throw error;
      };
      await Promise.all([change(), query(0).catch(fail), query(1).catch(fail)]);
      expect(Math.min(...answered)).toBeGreaterThanOrEqual(10);
      expect(await store.listKeys(tenant, 1, 0, 1000, notAborted)).toHaveLength(documents.length);
    },
    slowMs,
  );

  test('each condition holds by itself', async () => {
    const tenant = newTenant();
    await write(tenant, 1, [
      rankedRow('old', { updatedMs: 1_000, language: 1, attributes: { kind: 'faq' } }),
      rankedRow('new', { updatedMs: 1_700_000_000_123, language: 2, attributes: { kind: 'policy', 'a.b': '' } }),
      rankedRow('timeless', { aclId: 2, attributes: { 'a.b': 'kind' } }),
    ]);
    const none: RowFilter = {
      documentIds: [],
      languages: [],
      attributes: [],
      updatedFromMs: undefined,
      updatedBeforeMs: undefined,
    };
    const under = (filter: Partial<RowFilter>, aclIds = [1, 2]) =>
      find(tenant, { ...at(1), aclIds, filter: { ...none, ...filter } });
    expect(await under({})).toEqual(['new', 'old', 'timeless']);
    expect(await under({}, [2])).toEqual(['timeless']);
    expect(await under({ documentIds: ['old', 'timeless', 'unknown'] })).toEqual(['old', 'timeless']);
    expect(await under({ languages: [2] })).toEqual(['new']);
    expect(await under({ languages: [0, 1] })).toEqual(['old', 'timeless']);
    expect(await under({ attributes: [{ name: 'kind', values: ['faq', 'policy'] }] })).toEqual(['new', 'old']);
    expect(await under({ attributes: [{ name: 'a.b', values: [''] }] })).toEqual(['new']);
    expect(await under({ attributes: [{ name: 'a', values: ['b'] }] })).toEqual([]);
    expect(await under({ updatedFromMs: 1_000 })).toEqual(['new', 'old']);
    expect(await under({ updatedFromMs: 1_001 })).toEqual(['new']);
    expect(await under({ updatedBeforeMs: 1_700_000_000_123 })).toEqual(['old']);
    expect(await under({ updatedBeforeMs: 1_700_000_000_124 })).toEqual(['new', 'old']);
    expect(await under({ updatedFromMs: 5_000, updatedBeforeMs: 1_000 })).toEqual([]);
  });

  test('ids and values of any text are distinguished to the letter', async () => {
    const tenant = newTenant();
    await write(
      tenant,
      1,
      oddTexts.map((text) => rankedRow(text, { chunkId: text, attributes: { [text]: text } })),
    );
    expect(await find(tenant, at(1))).toEqual(oddTexts.toSorted());
    for (const text of oddTexts) {
      const filter = { languages: [], updatedFromMs: undefined, updatedBeforeMs: undefined };
      const byId = { ...filter, documentIds: [text], attributes: [] };
      const [hit, ...others] = await store.search(tenant, { ...at(1), filter: byId }, 10, notAborted);
      expect([hit?.documentId, hit?.chunkId, others]).toEqual([text, text, []]);
      const byValue = { ...filter, documentIds: [], attributes: [{ name: text, values: [text, 'other'] }] };
      expect(await find(tenant, { ...at(1), filter: byValue })).toEqual([text]);
    }
    await store.apply(tenant, 1, { kind: 'purge', documentIds: oddTexts.slice(0, 8) });
    expect(await find(tenant, at(1))).toEqual(oddTexts.slice(8).toSorted());
  });

  test('tenants of any name are separate, even if their keys and documents are the same', async () => {
    const base = newTenant();
    const tenants = oddTexts.slice(0, 6).map((text) => `${base}${text}`);
    for (const [index, tenant] of tenants.entries()) {
      await write(tenant, 1, [rankedRow('d', { key: 7, chunkId: `of ${index}` })]);
    }
    for (const [index, tenant] of tenants.entries()) {
      const hits = await store.search(tenant, at(1), 100, notAborted);
      expect(hits.map(({ chunkId }) => chunkId)).toEqual([`of ${index}`]);
      expect(await store.listKeys(tenant, 1, 0, 10, notAborted)).toEqual([7]);
    }
    const [first, second] = tenants as [string, string];
    await store.apply(first, 1, { kind: 'purge', documentIds: ['d'] });
    await store.apply(first, 1, { kind: 'forget', keys: [7] });
    await store.apply(first, 1, { kind: 'retain', oldest: 0, newest: 0 });
    expect(await store.count(first, 1, 1, notAborted)).toBe(0);
    expect(await find(second, at(1))).toEqual(['d']);
  });

  test('no question of any tenant is answered by a row that its caller may not see', async () => {
    const tenants = [newTenant(), newTenant(), newTenant()];
    const rows = await fc.sample(fc.array(anyRow, { minLength: 15, maxLength: 25 }), { numRuns: 3, seed: 7 });
    const written = await Promise.all(
      tenants.map(async (tenant, index) => {
        const own = (rows[index] ?? []).map((init) => rankedRow(init.documentId, init));
        await write(tenant, 1, own);
        return own;
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.subarray([1, 2, 3]), anyFilter, async (index, aclIds, filter) => {
        const hits = await store.search(tenants[index] as string, { ...at(1), aclIds, filter }, 100, notAborted);
        const visible = (written[index] ?? []).filter((row) => aclIds.includes(row.aclId) && passes(row, filter));
        const found = hits.map(({ key }) => key).toSorted((a, b) => a - b);
        expect(found).toEqual(visible.map(({ key }) => key).toSorted((a, b) => a - b));
      }),
      { numRuns: 100 },
    );
  });

  test('a read that is cancelled in flight rejects with the reason, and the store continues', async () => {
    const tenant = newTenant();
    await write(tenant, 1, [rankedRow('a')]);
    const reason = new Error('left');
    const reads = [
      (signal: AbortSignal) => store.search(tenant, at(1), 10, signal),
      (signal: AbortSignal) => store.count(tenant, 1, 1, signal),
      (signal: AbortSignal) => store.listKeys(tenant, 1, 0, 10, signal),
    ];
    for (const read of reads) {
      const controller = new AbortController();
      // One that was quicker has its answer; any other has the reason.
      const outcome = read(controller.signal).then(
        () => reason,
        (error: unknown) => error,
      );
      controller.abort(reason);
      expect(await outcome).toBe(reason);
      await expect(read(AbortSignal.abort(reason))).rejects.toBe(reason);
    }
    expect(await find(tenant, at(1))).toEqual(['a']);
  });

  if (server !== undefined) {
    test('its server may die and return: calls meanwhile are UNAVAILABLE, then everything works as before', async () => {
      const { kill, start } = server();
      const tenant = newTenant();
      await write(tenant, 1, [rankedRow('a')]);
      await kill();
      try {
        const calls = [
          store.search(tenant, at(1), 10, notAborted),
          store.count(tenant, 1, 1, notAborted),
          write(tenant, 2, [rankedRow('b')]),
        ];
        for (const result of await Promise.allSettled(calls)) {
          expect(result.status).toBe('rejected');
          const { reason } = result as PromiseRejectedResult;
          expect(reason).toBeInstanceOf(ConnectError);
          expect((reason as ConnectError).code).toBe(Code.Unavailable);
        }
      } finally {
        await start();
      }
      await expect.poll(() => find(tenant, at(1)), { timeout: 20_000 }).toEqual(['a']);
      await write(tenant, 2, [rankedRow('b')]);
      expect(await find(tenant, at(2))).toEqual(['a', 'b']);
      expect(await store.count(tenant, 1, 2, notAborted)).toBe(2);
    });
  }
}
