import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import type { SemanticEntry, SemanticStore, SemanticStoreDeps } from '../semantic/semantic-store.ts';

/** Options of a store under test. */
export type SemanticStoreTestDeps = Omit<SemanticStoreDeps, 'folder'>;

const never = new AbortController().signal;
const dimensions = 8;

/** Returns the key of a number. */
export const keyOf = (number: number): string => number.toString(16).padStart(64, '0');

/** A vector of length 1 at an angle, in radians. */
export function vectorAt(angle: number): Float32Array {
  const vector = new Float32Array(dimensions);
  vector[0] = Math.cos(angle);
  vector[1] = Math.sin(angle);
  return vector;
}

/** What every adapter of `semantic-store` does. `open` gives a store of its own that is empty. */
export function semanticStoreSuite(
  name: string,
  open: (deps: SemanticStoreTestDeps) => Promise<SemanticStore>,
  runs = 25,
): void {
  describe(`semantic store: ${name}`, () => {
    let store: SemanticStore;
    // The time of a server cannot be set, so expiry is seen from the clock that adapters are given, near the true one.
    let nowMs: number;
    const reopen = async (bounds: { maxPerScope?: number; maxPerTenant?: number } = {}) => {
      await store?.close();
      nowMs = Date.now();
      store = await open({
        clock: () => nowMs,
        random: Math.random,
        log: createLogger('silent'),
        maxPerScope: 100,
        maxPerTenant: 200,
        dimensions,
        embeddingModel: 'test-8',
        ...bounds,
      });
      await clear();
    };
    const clear = async () => {
      for (const tenant of ['acme', 'other']) await store.remove(tenant, { kind: 'all' }, never);
    };
    beforeEach(() => reopen());
    afterEach(async () => {
      await clear();
      await store.close();
      store = undefined as never;
    });

    const entry = (init: Partial<SemanticEntry> = {}): SemanticEntry => ({
      tenant: 'acme',
      scopeKey: 'scope',
      key: keyOf(1),
      question: '怎么退货 {x}',
      vector: vectorAt(0),
      documentIds: [],
      storedAtMs: nowMs,
      expiresAtMs: nowMs + 60_000,
      ...init,
    });
    const put = (init: Partial<SemanticEntry> = {}) => store.put(entry(init), never);
    const search = (init: { tenant?: string; scopeKey?: string; angle?: number; limit?: number } = {}) => {
      const { tenant = 'acme', scopeKey = 'scope', angle = 0, limit = 10 } = init;
      return store.search({ tenant, scopeKey, vector: vectorAt(angle), limit }, never);
    };
    const keys = async (init: Parameters<typeof search>[0] = {}) => (await search(init)).map(({ key }) => key);

    test('gives the nearest questions, best first, with their cosine', async () => {
      await put({ key: keyOf(1), vector: vectorAt(0.5), question: 'half' });
      await put({ key: keyOf(2), vector: vectorAt(0.1), question: 'near' });
      await put({ key: keyOf(3), vector: vectorAt(Math.PI), question: 'opposite' });
      const found = await search({ limit: 2 });
      expect(found.map(({ key, question }) => [key, question])).toEqual([
        [keyOf(2), 'near'],
        [keyOf(1), 'half'],
      ]);
      expect(found[0]?.similarity).toBeCloseTo(Math.cos(0.1), 4);
      expect(found[1]?.similarity).toBeCloseTo(Math.cos(0.5), 4);
      for (const [index, value] of vectorAt(0.1).entries()) expect(found[0]?.vector[index]).toBeCloseTo(value, 5);
    });

    test('finds nothing in an empty store', async () => {
      expect(await search()).toEqual([]);
      expect(await store.count('acme', never)).toBe(0);
      await store.remove('acme', { kind: 'key', key: keyOf(9) }, never);
      await store.remove('acme', { kind: 'document', documentId: 'none' }, never);
    });

    test('an entry is found in its own tenant and scope alone', async () => {
      await put();
      await put({ tenant: 'other', key: keyOf(2) });
      await put({ scopeKey: 'scope2', key: keyOf(3) });
      expect(await keys()).toEqual([keyOf(1)]);
      expect(await keys({ tenant: 'other' })).toEqual([keyOf(2)]);
      expect(await keys({ scopeKey: 'scope2' })).toEqual([keyOf(3)]);
      expect(await keys({ tenant: 'other', scopeKey: 'scope2' })).toEqual([]);
      expect(await store.count('acme', never)).toBe(2);
    });

    test('the same key in the same scope takes the place of the old entry', async () => {
      await put({ question: 'old', vector: vectorAt(1), documentIds: ['d1'] });
      await put({ question: 'new', vector: vectorAt(0), documentIds: ['d2'] });
      expect((await search()).map(({ question }) => question)).toEqual(['new']);
      await store.remove('acme', { kind: 'document', documentId: 'd1' }, never);
      expect(await keys()).toEqual([keyOf(1)]);
      expect(await store.count('acme', never)).toBe(1);
    });

    test('an expired entry is not found and not counted', async () => {
      await put({ expiresAtMs: nowMs + 5_000 });
      nowMs += 5_000;
      expect(await search()).toEqual([]);
      expect(await store.count('acme', never)).toBe(0);
    });

    test('removes what was stored before a time, in its tenant, and nothing younger', async () => {
      await put({ key: keyOf(1), storedAtMs: nowMs - 2000, documentIds: ['d1'] });
      await put({ key: keyOf(2), storedAtMs: nowMs - 1000 });
      await put({ key: keyOf(3), storedAtMs: nowMs - 2000, tenant: 'other' });
      await store.remove('acme', { kind: 'before', storedBeforeMs: nowMs - 1000 }, never);
      expect(await keys()).toEqual([keyOf(2)]);
      expect(await keys({ tenant: 'other' })).toEqual([keyOf(3)]);
      expect(await store.count('acme', never)).toBe(1);
    });

    test('removes by key, by document, by scope and all, in its tenant', async () => {
      const fill = async () => {
        await put({ key: keyOf(1), documentIds: ['d1', 'd2'] });
        await put({ key: keyOf(2), documentIds: ['d1'], scopeKey: 'scope2' });
        await put({ key: keyOf(3), documentIds: ['d3'] });
        await put({ key: keyOf(4), tenant: 'other', documentIds: ['d1'] });
      };
      const left = async () => [...(await keys()), ...(await keys({ scopeKey: 'scope2' }))].sort();
      await fill();
      await store.remove('acme', { kind: 'key', key: keyOf(1) }, never);
      expect(await left()).toEqual([keyOf(2), keyOf(3)]);
      await fill();
      await store.remove('acme', { kind: 'document', documentId: 'd1' }, never);
      expect(await left()).toEqual([keyOf(3)]);
      await fill();
      await store.remove('acme', { kind: 'scope', scopeKey: 'scope' }, never);
      expect(await left()).toEqual([keyOf(2)]);
      await fill();
      await store.remove('acme', { kind: 'all' }, never);
      expect(await left()).toEqual([]);
      expect(await keys({ tenant: 'other' })).toEqual([keyOf(4)]);
    });

    test('the oldest make way, in a scope and in a tenant', async () => {
      await reopen({ maxPerScope: 2, maxPerTenant: 3 });
      for (const number of [1, 2, 3]) await put({ key: keyOf(number), storedAtMs: nowMs + number });
      expect((await keys()).sort()).toEqual([keyOf(2), keyOf(3)]);
      for (const number of [4, 5]) await put({ key: keyOf(number), storedAtMs: nowMs + number, scopeKey: 'scope2' });
      expect(await keys()).toEqual([keyOf(3)]);
      expect((await keys({ scopeKey: 'scope2' })).sort()).toEqual([keyOf(4), keyOf(5)]);
      expect(await store.count('acme', never)).toBe(3);
    });

    test('a search that was given up rejects with its reason', async () => {
      const reason = new Error('left');
      const query = { tenant: 'acme', scopeKey: 'scope', vector: vectorAt(0), limit: 1 };
      await expect(store.search(query, AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    test('after any operations, a search finds what was put last, of its own tenant and scope', async () => {
      const number = fc.integer({ min: 1, max: 6 });
      const tenant = fc.constantFrom('acme', 'other');
      const scopeKey = fc.constantFrom('scope', 'scope2');
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), number, tenant, scopeKey }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('key' as const), number, tenant }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('document' as const), number, tenant }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('scope' as const), tenant, scopeKey }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          await clear();
          const model = new Map<string, SemanticEntry>();
          const forget = (isGone: (kept: SemanticEntry) => boolean) => {
            for (const [id, kept] of model) if (isGone(kept)) model.delete(id);
          };
          for (const each of steps) {
            if (each.kind === 'put') {
              const made = entry({
                tenant: each.tenant,
                scopeKey: each.scopeKey,
                key: keyOf(each.number),
                documentIds: [`d${each.number % 3}`],
              });
              await store.put(made, never);
              model.set(`${made.tenant} ${made.scopeKey} ${made.key}`, made);
            } else if (each.kind === 'key') {
              const key = keyOf(each.number);
              await store.remove(each.tenant, { kind: 'key', key }, never);
              forget((kept) => kept.tenant === each.tenant && kept.key === key);
            } else if (each.kind === 'document') {
              const documentId = `d${each.number % 3}`;
              await store.remove(each.tenant, { kind: 'document', documentId }, never);
              forget((kept) => kept.tenant === each.tenant && kept.documentIds.includes(documentId));
            } else {
              await store.remove(each.tenant, { kind: 'scope', scopeKey: each.scopeKey }, never);
              forget((kept) => kept.tenant === each.tenant && kept.scopeKey === each.scopeKey);
            }
          }
          for (const owner of ['acme', 'other']) {
            const own = [...model.values()].filter((kept) => kept.tenant === owner);
            expect(await store.count(owner, never)).toBe(own.length);
            for (const scope of ['scope', 'scope2']) {
              const expected = own.filter((kept) => kept.scopeKey === scope).map(({ key }) => key);
              expect((await keys({ tenant: owner, scopeKey: scope })).sort()).toEqual(expected.sort());
            }
          }
        }),
        { numRuns: runs },
      );
    });
  });
}
