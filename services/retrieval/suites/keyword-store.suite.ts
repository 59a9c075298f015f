import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SearchScope } from '../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../stores/keyword-store.ts';
import { anyFilter, anyRow, passes } from './row-filter.suite.ts';
import { rowStoreTests, type SuiteOptions } from './row-store.suite.ts';

const notAborted = new AbortController().signal;
let lastKey = 0;

function row(documentId: string, text: string, init: Partial<KeywordRow> = {}): KeywordRow {
  const key = ++lastKey;
  return {
    key,
    chunkId: `${documentId}#${key}`,
    documentId,
    aclId: 1,
    language: 0,
    updatedMs: undefined,
    attributes: {},
    title: '',
    text,
    ...init,
  };
}

/** Tests the contract of every keyword store. `create` returns an empty store. */
export function keywordStoreSuite(name: string, create: () => Promise<KeywordStore>, options: SuiteOptions = {}): void {
  describe(`${name} conforms to the port of keyword stores`, () => {
    let store: KeywordStore;
    let tenantCount = 0;
    beforeAll(async () => {
      store = await create();
    });
    afterAll(() => store.close());

    const newTenant = () => `tenant-${++tenantCount}`;
    const replace = (tenant: string, version: number, rows: KeywordRow[], corpusId = 1) =>
      store.apply(tenant, corpusId, {
        kind: 'replace',
        version,
        documentIds: [...new Set(rows.map(({ documentId }) => documentId))],
        rows,
      });
    const search = (
      tenant: string,
      text: string,
      version = 1,
      rest: Partial<SearchScope> & { limit?: number } = {},
    ) => {
      const { limit = 10, ...scope } = rest;
      const query = {
        text,
        limit,
        scope: { corpora: [{ corpusId: 1, version }], aclIds: [1], filter: undefined, ...scope },
      };
      return store.search(tenant, query, notAborted);
    };
    const find = async (...args: Parameters<typeof search>) =>
      (await search(...args)).map(({ documentId }) => documentId);

    rowStoreTests(
      () => ({
        ...store,
        replace(tenant, corpusId, version, ranked, documentIds) {
          const rows = ranked.map((init) => ({ ...init, title: '', text: `apple ${'pear '.repeat(init.rank)}` }));
          const given = documentIds ?? [...new Set(rows.map(({ documentId }) => documentId))];
          return store.apply(tenant, corpusId, { kind: 'replace', version, documentIds: given, rows });
        },
        search: (tenant, scope, limit, signal) => store.search(tenant, { text: 'apple', scope, limit }, signal),
      }),
      newTenant,
      options,
    );

    test('rows with the rarer words of the question come first, in Chinese and English', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [
        row('zh', '支持7天无理由退货，运费由卖家承担。'),
        row('en', 'Refunds are paid within five working days.'),
        row('code', 'The charger PPR-9087 can be returned; refunds take a week.'),
        row('shop', 'Our shop opens at ten.'),
      ]);
      expect(await find(tenant, '退货运费谁承担')).toEqual(['zh']);
      expect((await find(tenant, 'refund of a ppr9087 charger'))[0]).toBe('code');
      expect((await find(tenant, 'refunds')).toSorted()).toEqual(['code', 'en']);
      expect(await find(tenant, 'xylophone')).toEqual([]);
      const [best] = await search(tenant, 'working days');
      expect(best?.score).toBeGreaterThan(0);
      expect(best?.chunkId).toMatch(/^en#/);
    });

    test('the title is found as the text is', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 'some text', { title: 'Warranty\nBatteries' })]);
      expect(await find(tenant, 'battery warranty')).toEqual(['a']);
    });

    test('a row belongs to the versions between its addition and its removal', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 'apple'), row('b', 'apple')]);
      await replace(tenant, 2, [row('a', 'pear')]);
      await store.apply(tenant, 1, { kind: 'replace', version: 3, documentIds: ['b'], rows: [] });
      expect((await find(tenant, 'apple', 1)).toSorted()).toEqual(['a', 'b']);
      expect(await find(tenant, 'apple', 2)).toEqual(['b']);
      expect(await find(tenant, 'apple', 3)).toEqual([]);
      expect(await find(tenant, 'pear', 3)).toEqual(['a']);
      const counts = [1, 2, 3].map((version) => store.count(tenant, 1, version, notAborted));
      expect(await Promise.all(counts)).toEqual([2, 2, 1]);
    });

    test('writing a document twice into a version is the same as once', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 'apple')]);
      await replace(tenant, 2, [row('a', 'pear')]);
      await replace(tenant, 2, [row('a', 'plum')]);
      expect(await find(tenant, 'apple pear plum', 2)).toEqual(['a']);
      expect(await find(tenant, 'pear', 2)).toEqual([]);
      expect(await find(tenant, 'apple', 1)).toEqual(['a']);
    });

    test('what is retained is what the versions hold that are left', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 'apple'), row('b', 'apple')]);
      await replace(tenant, 2, [row('a', 'pear')]);
      await replace(tenant, 3, [row('b', 'plum')]);
      await store.apply(tenant, 1, { kind: 'retain', oldest: 1, newest: 2 });
      expect(await find(tenant, 'apple plum', 3)).toEqual(['b']);
      await store.apply(tenant, 1, { kind: 'retain', oldest: 2, newest: 2 });
      expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toHaveLength(2);
      expect(await find(tenant, 'apple', 1)).toEqual(['b']);
      await store.apply(tenant, 1, { kind: 'retain', oldest: 0, newest: 0 });
      expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toEqual([]);
    });

    test('a purged document is gone from every version, and a forgotten row too', async () => {
      const tenant = newTenant();
      const forgotten = row('c', 'apple');
      await replace(tenant, 1, [row('a', 'apple'), row('b', 'apple'), forgotten]);
      await replace(tenant, 2, [row('a', 'apple')]);
      await store.apply(tenant, 1, { kind: 'purge', documentIds: ['a', 'unknown'] });
      await store.apply(tenant, 1, { kind: 'forget', keys: [forgotten.key] });
      expect(await find(tenant, 'apple', 1)).toEqual(['b']);
      expect(await find(tenant, 'apple', 2)).toEqual(['b']);
    });

    test('keys are listed by page', async () => {
      const tenant = newTenant();
      const rows = [row('a', 'x'), row('b', 'y'), row('c', 'z')];
      await replace(tenant, 1, rows);
      const keys = rows.map(({ key }) => key);
      expect(await store.listKeys(tenant, 1, 0, 2, notAborted)).toEqual(keys.slice(0, 2));
      expect(await store.listKeys(tenant, 1, keys[1] as number, 2, notAborted)).toEqual(keys.slice(2));
    });

    test('corpora and tenants are apart', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('here', 'apple')]);
      await replace(tenant, 1, [row('elsewhere', 'apple')], 2);
      const other = newTenant();
      await replace(other, 1, [row('foreign', 'apple')]);
      expect(await find(tenant, 'apple')).toEqual(['here']);
      expect(await find(tenant, 'apple', 1, { corpora: [] })).toEqual([]);
      const many = Array.from({ length: 1500 }, (_, index) => ({ corpusId: index + 1, version: 1 }));
      expect((await find(tenant, 'apple', 1, { corpora: many })).toSorted()).toEqual(['elsewhere', 'here']);
      expect(await find('nobody', 'apple')).toEqual([]);
      expect(await store.count('nobody', 1, 1, notAborted)).toBe(0);
    });

    test("another tenant's rows do not move a score", async () => {
      const [one, two] = [newTenant(), newTenant()];
      const rows = () => [row('a', 'apple pie'), row('b', 'pear pie')];
      await replace(one, 1, rows());
      const before = await search(one, 'apple pie');
      await replace(
        two,
        1,
        Array.from({ length: 50 }, (_, index) => row(`d${index}`, 'apple apple apple')),
      );
      expect((await search(one, 'apple pie')).map(({ score }) => score)).toEqual(before.map(({ score }) => score));
    });

    test('a word that was unknown a moment ago is found as soon as it is written', async () => {
      const tenant = newTenant();
      await replace(
        tenant,
        1,
        Array.from({ length: 100 }, (_, index) => row(`d${index}`, `common number${index}`)),
      );
      expect(await find(tenant, 'zebra unicorn')).toEqual([]);
      await replace(tenant, 1, [row('new', 'a zebra')]);
      expect(await find(tenant, 'zebra unicorn')).toEqual(['new']);
    });

    test('text is never interpreted as a query language', async () => {
      const tenant = newTenant();
      const texts = [
        '"*:^() NEAR(a b) AND NOT tokens:x',
        "'; DROP TABLE chunk; --",
        '😀🎉',
        '\ud800 lone',
        '',
        'a\0b nul',
      ];
      await replace(
        tenant,
        1,
        texts.map((text, index) => row(`d${index}`, text)),
      );
      for (const text of [...texts, '*', 'NEAR', 'AND OR NOT', '"unclosed', 'tokens:', '-', '退', '。']) {
        await search(tenant, text);
      }
      expect(await find(tenant, 'lone')).toEqual(['d3']);
      expect(await find(tenant, 'nul')).toEqual(['d5']);
      expect(await store.count(tenant, 1, 1, notAborted)).toBe(texts.length);
    });

    test('a chunk of a megabyte and a question of many words take their time, and no error', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('big', '退货政策 return policy '.repeat(40_000)), row('small', 'needle')]);
      const words = Array.from({ length: 600 }, (_, index) => `word${index}`).join(' ');
      expect(await find(tenant, `${words} needle`.slice(-4096))).toEqual(['small']);
      expect(await find(tenant, 'policy')).toEqual(['big']);
    });

    test('a single Chinese character is found at the beginning of a word', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', '退货政策'), row('b', '会员权益')]);
      expect(await find(tenant, '退')).toEqual(['a']);
    });

    test('a search that was given up rejects with the reason', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 'apple pie')]);
      const reason = new Error('gone');
      const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
      const given = store.search(tenant, { text: 'apple pie', limit: 1, scope }, AbortSignal.abort(reason));
      await expect(given).rejects.toBe(reason);
    });

    test('rows stay findable after tidying up', async () => {
      const tenant = newTenant();
      for (const [index, name] of ['alpha', 'beta', 'gamma', 'delta', 'epsilon'].entries()) {
        await replace(
          tenant,
          index + 1,
          Array.from({ length: 40 }, (_, number) => row(`d${number}`, `common ${name} ${'x'.repeat(number)}`)),
        );
      }
      await store.apply(tenant, 1, { kind: 'retain', oldest: 5, newest: 5 });
      await store.maintain(tenant, 1, notAborted);
      expect(await find(tenant, 'xxxxxxx epsilon', 5, { limit: 1 })).toEqual(['d7']);
      expect(await find(tenant, 'delta', 5)).toEqual([]);
    });

    test('access and conditions hold before the best are chosen, for any rows and any conditions', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(anyRow, fc.boolean()), { minLength: 1, maxLength: 30 }),
          anyFilter,
          fc.subarray([1, 2, 3]),
          fc.integer({ min: 1, max: 5 }),
          async (given, filter, aclIds, limit) => {
            const tenant = newTenant();
            const rows = given.map(([init, hasWord]) =>
              row(init.documentId, hasWord ? 'the wanted word' : 'nothing here', init),
            );
            await replace(tenant, 1, rows);
            const wanted = rows.filter(
              (candidate, index) => given[index]?.[1] && aclIds.includes(candidate.aclId) && passes(candidate, filter),
            );
            const hits = await search(tenant, 'wanted word', 1, { aclIds, filter, limit });
            expect(hits).toHaveLength(Math.min(limit, wanted.length));
            for (const { key } of hits) expect(wanted.map((candidate) => candidate.key)).toContain(key);
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}
