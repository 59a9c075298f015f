import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SearchScope } from '../stores/index-row.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../stores/vector-store.ts';
import { anyFilter, anyRow, passes } from './row-filter.suite.ts';
import { rowStoreTests, type SuiteOptions } from './row-store.suite.ts';

const space: VectorSpace = { model: 'm', dimensions: 4 };
const notAborted = new AbortController().signal;
let lastKey = 0;

/** A unit vector towards `angle`, in radians, in the plane of the first two components. */
const towards = (angle: number) => Float32Array.of(Math.cos(angle), Math.sin(angle), 0, 0);

/** A row of document `documentId` whose vector points towards `angle`. */
function row(documentId: string, angle: number, init: Partial<VectorRow> = {}): VectorRow {
  const key = ++lastKey;
  return {
    key,
    chunkId: `${documentId}#${key}`,
    documentId,
    aclId: 1,
    language: 0,
    updatedMs: undefined,
    attributes: {},
    vector: towards(angle),
    ...init,
  };
}

/** Tests the contract of every vector store. `create` returns an empty store. */
export function vectorStoreSuite(name: string, create: () => Promise<VectorStore>, options: SuiteOptions = {}): void {
  describe(`${name} conforms to the port of vector stores`, () => {
    let store: VectorStore;
    let tenantCount = 0;
    beforeAll(async () => {
      store = await create();
    });
    afterAll(() => store.close());

    const newTenant = () => `tenant-${++tenantCount}`;
    const replace = (tenant: string, version: number, rows: VectorRow[], corpusId = 1, of = space) =>
      store.apply(tenant, corpusId, of, {
        kind: 'replace',
        version,
        documentIds: [...new Set(rows.map(({ documentId }) => documentId))],
        rows,
      });
    const remove = (tenant: string, version: number, ...documentIds: string[]) =>
      store.apply(tenant, 1, undefined, { kind: 'replace', version, documentIds, rows: [] });
    const find = async (
      tenant: string,
      version: number,
      rest: Partial<SearchScope> & { limit?: number; angle?: number } = {},
    ) => {
      const { limit = 10, angle = 0, ...scope } = rest;
      const hits = await store.search(
        tenant,
        {
          space,
          vector: towards(angle),
          limit,
          scope: { corpora: [{ corpusId: 1, version }], aclIds: [1], filter: undefined, ...scope },
        },
        notAborted,
      );
      return hits.map(({ documentId }) => documentId);
    };

    rowStoreTests(
      () => ({
        ...store,
        replace(tenant, corpusId, version, ranked, documentIds) {
          const rows = ranked.map((init) => ({ ...init, vector: towards(init.rank / 50) }));
          const given = documentIds ?? [...new Set(rows.map(({ documentId }) => documentId))];
          return store.apply(tenant, corpusId, space, { kind: 'replace', version, documentIds: given, rows });
        },
        apply: (tenant, corpusId, change) => store.apply(tenant, corpusId, undefined, change),
        search: (tenant, scope, limit, signal) =>
          store.search(tenant, { space, vector: towards(0), scope, limit }, signal),
      }),
      newTenant,
      options,
    );

    test('the nearest come first, with their cosine', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('far', 3), row('near', 0.1), row('middle', 1)]);
      const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
      const hits = await store.search(tenant, { space, vector: towards(0), limit: 2, scope }, notAborted);
      expect(hits.map(({ documentId }) => documentId)).toEqual(['near', 'middle']);
      expect(hits[0]?.score).toBeCloseTo(Math.cos(0.1), 5);
      expect(hits[1]?.score).toBeCloseTo(Math.cos(1), 5);
      expect(hits[0]?.chunkId).toMatch(/^near#/);
    });

    test('the order is exact, with every neighbour in its place', async () => {
      const tenant = newTenant();
      const wide = { model: 'm', dimensions: 48 };
      const vectors = fc.sample(fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 48, maxLength: 48 }), {
        numRuns: 301,
        seed: 11,
      });
      const [question, ...others] = vectors.map((components) => {
        const length = Math.hypot(...components) || 1;
        return Float32Array.from(components, (component) => component / length);
      }) as [Float32Array<ArrayBuffer>, ...Float32Array<ArrayBuffer>[]];
      const rows = others.map((vector, index) => row(`d${index}`, 0, { vector }));
      await replace(tenant, 1, rows, 1, wide);
      const cosine = (vector: Float32Array) =>
        vector.reduce((sum, component, index) => sum + component * (question[index] as number), 0);
      const wanted = rows.toSorted((a, b) => cosine(b.vector) - cosine(a.vector)).slice(0, 25);
      const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
      const hits = await store.search(tenant, { space: wide, vector: question, scope, limit: 25 }, notAborted);
      expect(hits.map(({ key }) => key)).toEqual(wanted.map(({ key }) => key));
      for (const [index, { score }] of hits.entries()) {
        expect(score).toBeCloseTo(cosine(wanted[index]?.vector as Float32Array), 4);
      }
    });

    test('a row belongs to the versions between its addition and its removal', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 0), row('b', 1)]);
      await replace(tenant, 2, [row('a', 2)]);
      await remove(tenant, 3, 'b');
      expect(await find(tenant, 1)).toEqual(['a', 'b']);
      expect(await find(tenant, 2)).toEqual(['b', 'a']);
      expect(await find(tenant, 3)).toEqual(['a']);
      const counts = [1, 2, 3, 4].map((version) => store.count(tenant, 1, version, notAborted));
      expect(await Promise.all(counts)).toEqual([2, 2, 1, 1]);
    });

    test('writing a document twice into a version is the same as once', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 0)]);
      await replace(tenant, 2, [row('a', 1), row('a', 2)]);
      await replace(tenant, 2, [row('a', 1), row('a', 2)]);
      expect(await store.count(tenant, 1, 1, notAborted)).toBe(1);
      expect(await find(tenant, 2)).toEqual(['a', 'a']);
      await remove(tenant, 2, 'a');
      await remove(tenant, 2, 'a');
      expect(await find(tenant, 2)).toEqual([]);
      expect(await find(tenant, 1)).toEqual(['a']);
    });

    test('what is retained is what the versions hold that are left', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 0), row('b', 1)]);
      await replace(tenant, 2, [row('a', 2)]);
      await replace(tenant, 3, [row('b', 2), row('c', 3)]);
      await store.apply(tenant, 1, undefined, { kind: 'retain', oldest: 1, newest: 2 });
      expect(await find(tenant, 3)).toEqual(['b', 'a']);
      expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toHaveLength(3);
      await store.apply(tenant, 1, undefined, { kind: 'retain', oldest: 2, newest: 2 });
      expect(await find(tenant, 2)).toEqual(['b', 'a']);
      expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toHaveLength(2);
      await store.apply(tenant, 1, undefined, { kind: 'retain', oldest: 0, newest: 0 });
      expect(await store.listKeys(tenant, 1, 0, 100, notAborted)).toEqual([]);
      expect(await find(tenant, 2)).toEqual([]);
    });

    test('a purged document is gone from every version, and a forgotten row too', async () => {
      const tenant = newTenant();
      const forgotten = row('c', 2);
      await replace(tenant, 1, [row('a', 0), row('b', 1), forgotten]);
      await replace(tenant, 2, [row('a', 0)]);
      await store.apply(tenant, 1, undefined, { kind: 'purge', documentIds: ['a', 'unknown'] });
      await store.apply(tenant, 1, undefined, { kind: 'forget', keys: [forgotten.key, 999_999] });
      expect(await find(tenant, 1)).toEqual(['b']);
      expect(await find(tenant, 2)).toEqual(['b']);
    });

    test('keys are listed by page', async () => {
      const tenant = newTenant();
      const rows = [row('a', 0), row('b', 1), row('c', 2)];
      await replace(tenant, 1, rows);
      await replace(tenant, 1, [row('other', 0)], 2);
      const [first, second, third] = rows.map(({ key }) => key) as [number, number, number];
      expect(await store.listKeys(tenant, 1, 0, 2, notAborted)).toEqual([first, second]);
      expect(await store.listKeys(tenant, 1, second, 2, notAborted)).toEqual([third]);
    });

    test('corpora, spaces and tenants are apart', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('here', 0)]);
      await replace(tenant, 1, [row('elsewhere', 0)], 2);
      const wide = { model: 'm', dimensions: 8 };
      const vector = new Float32Array(8).fill(Math.SQRT1_2 / 2);
      await replace(tenant, 1, [row('wide', 0, { vector })], 1, wide);
      await replace(newTenant(), 1, [row('foreign', 0)]);
      expect(await find(tenant, 1)).toEqual(['here']);
      const both = [
        { corpusId: 1, version: 1 },
        { corpusId: 2, version: 1 },
      ];
      expect((await find(tenant, 1, { corpora: both })).toSorted()).toEqual(['elsewhere', 'here']);
      const scope = { corpora: both, aclIds: [1], filter: undefined };
      const hits = await store.search(tenant, { space: wide, vector, limit: 10, scope }, notAborted);
      expect(hits.map(({ documentId }) => documentId)).toEqual(['wide']);
      const unknown = { space: { model: 'other', dimensions: 4 }, vector: towards(0), limit: 10, scope };
      expect(await store.search(tenant, unknown, notAborted)).toEqual([]);
      expect(await find('nobody', 1)).toEqual([]);
      expect(await store.count('nobody', 1, 1, notAborted)).toBe(0);
    });

    test('a zero vector counts and is never found', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('zero', 0, { vector: new Float32Array(4) }), row('a', 1)]);
      expect(await find(tenant, 1)).toEqual(['a']);
      expect(await store.count(tenant, 1, 1, notAborted)).toBe(2);
    });

    test('a search that was given up rejects with the reason', async () => {
      const tenant = newTenant();
      await replace(tenant, 1, [row('a', 0)]);
      const reason = new Error('gone');
      const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
      const query = { space, vector: towards(0), limit: 1, scope };
      await expect(store.search(tenant, query, AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    test('rows stay findable after tidying up', async () => {
      const tenant = newTenant();
      const rows = Array.from({ length: 300 }, (_, index) => row(`d${index}`, index / 100));
      await replace(tenant, 1, rows);
      await store.apply(tenant, 1, undefined, {
        kind: 'purge',
        documentIds: rows.slice(10).map(({ documentId }) => documentId),
      });
      await store.maintain(tenant, 1, notAborted);
      expect(await find(tenant, 1)).toEqual(rows.slice(0, 10).map(({ documentId }) => documentId));
      await replace(tenant, 2, [row('new', 0.005)]);
      expect((await find(tenant, 2)).slice(0, 2)).toEqual(['d0', 'new']);
    });

    test('access and conditions hold before the best are chosen, for any rows and any conditions', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(anyRow, fc.double({ min: 0, max: 3, noNaN: true })), { minLength: 1, maxLength: 30 }),
          anyFilter,
          fc.subarray([1, 2, 3]),
          fc.integer({ min: 1, max: 5 }),
          async (given, filter, aclIds, limit) => {
            const tenant = newTenant();
            const rows = given.map(([init, angle]) => row(init.documentId, angle, init));
            await replace(tenant, 1, rows);
            const wanted = rows
              .filter((candidate) => aclIds.includes(candidate.aclId) && passes(candidate, filter))
              .map(({ vector }) => vector[0] as number)
              .sort((a, b) => b - a)
              .slice(0, limit);
            const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds, filter };
            const hits = await store.search(tenant, { space, vector: towards(0), limit, scope }, notAborted);
            expect(hits).toHaveLength(wanted.length);
            for (const [position, { score }] of hits.entries()) {
              expect(score).toBeCloseTo(wanted[position] as number, 4);
            }
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}
