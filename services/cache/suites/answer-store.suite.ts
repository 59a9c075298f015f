import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AnswerStore, type InvalidateTarget, type StoredAnswer, sizeOf } from '../answers/answer-store.ts';

/** A store under test, and the time that it sees. */
export interface StoreUnderTest {
  store: AnswerStore;
  /** Moves the store's clock. */
  advance(ms: number): void;
  /** Now, by the store's clock, in milliseconds. */
  now(): number;
  close(): Promise<void>;
}

/** An answer for tests: found for a minute. */
export function answerOf(init: Partial<StoredAnswer> & { nowMs?: number } = {}): StoredAnswer {
  const { nowMs = 0, ...given } = init;
  return {
    tenant: 'acme',
    key: keyOf(1),
    value: new Uint8Array([1, 2, 3]),
    storedAtMs: nowMs,
    staleAtMs: nowMs + 50_000,
    expiresAtMs: nowMs + 60_000,
    labels: ['document:d1'],
    scope: new Uint8Array([7]),
    ...given,
  };
}

/** A key as identities are: 64 hex digits, different in its beginning. */
export const keyOf = (number: number): string => number.toString(16).padStart(12, '0').padEnd(64, 'a');

/** What a store claims for itself. */
export interface StoreClaims {
  /** Whether it enforces `maxBytes` itself; otherwise its server has its own bound. @default true */
  bounded?: boolean;
}

/** The contract of every answer store. */
export function answerStoreSuite(
  name: string,
  open: (maxBytes: number) => Promise<StoreUnderTest>,
  { bounded = true }: StoreClaims = {},
): void {
  describe(`${name} fulfils the port of answer stores`, () => {
    const oneBytes = sizeOf(answerOf());
    let tested: StoreUnderTest;
    let store: AnswerStore;
    const reopen = async (maxBytes: number) => {
      await tested?.close();
      tested = await open(maxBytes);
      store = tested.store;
    };
    beforeEach(() => reopen(1_000_000));
    afterEach(() => tested.close());
    const put = (init: Partial<StoredAnswer>) => store.put(answerOf({ nowMs: tested.now(), ...init }));

    test('an answer comes back as it was put, and only to its tenant', async () => {
      const value = new Uint8Array(20_000).map((_, index) => index % 251);
      const answer = answerOf({ nowMs: tested.now(), value, labels: ['a', 'b: "c"\n,', '退货'] });
      await store.put(answer);
      const found = await store.get('acme', answer.key);
      expect({ ...found, labels: found?.labels.toSorted() }).toEqual({ ...answer, labels: answer.labels.toSorted() });
      expect(await store.get('other', answer.key)).toBeUndefined();
      expect(await store.get('acme', keyOf(2))).toBeUndefined();
    });

    test('a later answer takes the place of an earlier one', async () => {
      await put({ labels: ['old'] });
      await put({ value: new Uint8Array([9]), labels: ['new'] });
      expect((await store.get('acme', keyOf(1)))?.value).toEqual(new Uint8Array([9]));
      expect(await store.invalidate('acme', { kind: 'label', label: 'old' })).toEqual([]);
      expect((await store.usage('acme')).entryCount).toBe(1);
    });

    test('an answer is not found once it has expired', async () => {
      await put({ expiresAtMs: tested.now() + 1000 });
      tested.advance(999);
      expect(await store.get('acme', keyOf(1))).toBeDefined();
      tested.advance(1);
      expect(await store.get('acme', keyOf(1))).toBeUndefined();
      expect(await store.usage('acme')).toMatchObject({ entryCount: 0, sizeBytes: 0 });
    });

    test('a removed answer is gone, and another tenant cannot remove it', async () => {
      await put({});
      const entry = { kind: 'entry', key: keyOf(1) } as const;
      expect(await store.invalidate('other', entry)).toEqual([]);
      expect(await store.get('acme', keyOf(1))).toBeDefined();
      expect(await store.invalidate('acme', entry)).toEqual([keyOf(1)]);
      expect(await store.get('acme', keyOf(1))).toBeUndefined();
      expect(await store.invalidate('acme', entry)).toEqual([]);
    });

    test.each<[InvalidateTarget, number[]]>([
      [{ kind: 'label', label: 'document:d1' }, [1, 2]],
      [{ kind: 'label', label: 'corpus:help' }, [1, 3]],
      [{ kind: 'label', label: 'nobody' }, []],
      [{ kind: 'all' }, [1, 2, 3]],
    ])('an invalidation by %j removes what it concerns, in its tenant', async (target, removed) => {
      await put({ key: keyOf(1), labels: ['document:d1', 'document:d2', 'corpus:help'] });
      await put({ key: keyOf(2), labels: ['document:d1', 'corpus:shop'] });
      await put({ key: keyOf(3), labels: ['document:d3', 'corpus:shop', 'corpus:help'] });
      await put({ key: keyOf(4), tenant: 'other', labels: ['document:d1', 'corpus:help'] });
      expect((await store.invalidate('acme', target)).sort()).toEqual(removed.map(keyOf).sort());
      for (const number of [1, 2, 3]) {
        expect((await store.get('acme', keyOf(number))) === undefined).toBe(removed.includes(number));
      }
      expect(await store.get('other', keyOf(4))).toBeDefined();
    });

    test('an invalidation of what was stored before a time removes it, in its tenant, and nothing younger', async () => {
      const nowMs = tested.now();
      const at = (storedAtMs: number) => ({ storedAtMs, labels: ['question:q'] });
      await put({ key: keyOf(1), ...at(nowMs - 2000) });
      await put({ key: keyOf(2), ...at(nowMs - 1000) });
      await put({ key: keyOf(3), ...at(nowMs) });
      await put({ key: keyOf(4), tenant: 'other', ...at(nowMs - 2000) });
      const before = (storedBeforeMs: number) => store.invalidate('acme', { kind: 'before', storedBeforeMs });
      expect(await before(nowMs - 1000)).toEqual([keyOf(1)]);
      expect(await store.get('acme', keyOf(1))).toBeUndefined();
      for (const number of [2, 3]) expect(await store.get('acme', keyOf(number))).toBeDefined();
      expect(await store.get('other', keyOf(4))).toBeDefined();
      expect(await store.usage('acme')).toMatchObject({ entryCount: 2 });
      expect(await before(nowMs)).toEqual([keyOf(2)]);
      // An earlier time removes nothing, and takes nothing back.
      expect(await before(nowMs - 5000)).toEqual([]);
      await put({ key: keyOf(5), ...at(nowMs) });
      expect((await store.find('acme', 'question:q', 10)).map(({ key }) => key).sort()).toEqual([3, 5].map(keyOf));
    });

    test('answers are found by a label, in their tenant, not once they have expired, and no more than asked for', async () => {
      for (const number of [1, 2, 3]) await put({ key: keyOf(number), labels: ['question:q'] });
      await put({ key: keyOf(4), labels: ['question:other'] });
      await put({ key: keyOf(5), tenant: 'other', labels: ['question:q'] });
      await put({ key: keyOf(6), labels: ['question:q'], expiresAtMs: tested.now() + 10 });
      tested.advance(10);
      const found = await store.find('acme', 'question:q', 10);
      expect(found.map(({ key }) => key).sort()).toEqual([1, 2, 3].map(keyOf));
      expect(await store.find('acme', 'question:q', 2)).toHaveLength(2);
    });

    if (bounded) {
      test('the least recently used answer makes way', async () => {
        await reopen(oneBytes * 3);
        for (const number of [1, 2, 3]) await put({ key: keyOf(number) });
        await store.get('acme', keyOf(1));
        await put({ key: keyOf(4) });
        expect(await store.get('acme', keyOf(2))).toBeUndefined();
        for (const number of [1, 3, 4]) expect(await store.get('acme', keyOf(number))).toBeDefined();
        expect(await store.usage('acme')).toEqual({ entryCount: 3, sizeBytes: oneBytes * 3, evictionCount: 1 });
      });

      test('an answer that is larger than the store is not kept, and takes no other with it', async () => {
        await reopen(oneBytes * 2);
        await put({ key: keyOf(1) });
        await put({ key: keyOf(2), value: new Uint8Array(oneBytes * 2) });
        expect(await store.get('acme', keyOf(1))).toBeDefined();
        expect(await store.get('acme', keyOf(2))).toBeUndefined();
      });
    }

    test('whatever happens, its sums are exact, its bound holds, and what it finds is what was put last', async () => {
      const number = fc.integer({ min: 1, max: 8 });
      const tenant = fc.constantFrom('acme', 'other');
      const operation = fc.oneof(
        fc.record({ kind: fc.constant('put' as const), number, tenant, length: fc.integer({ min: 0, max: 900 }) }),
        fc.record({ kind: fc.constant('get' as const), number, tenant }),
        fc.record({ kind: fc.constant('remove' as const), number, tenant }),
        fc.record({ kind: fc.constant('document' as const), number, tenant }),
        fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(10, 40_000) }),
      );
      const maxBytes = oneBytes * 5;
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
          await reopen(maxBytes);
          const model = new Map<string, StoredAnswer>();
          for (const step of operations) {
            if (step.kind === 'wait') {
              tested.advance(step.ms);
              continue;
            }
            const key = keyOf(step.number + (step.tenant === 'acme' ? 0 : 100));
            if (step.kind === 'put') {
              const value = new Uint8Array(step.length).fill(model.size);
              const labels = ['all of them', `d${step.number}`];
              const answer = answerOf({ nowMs: tested.now(), tenant: step.tenant, key, value, labels });
              await store.put(answer);
              model.set(key, answer);
            } else if (step.kind === 'get') {
              const found = await store.get(step.tenant, key);
              if (found !== undefined) {
                expect({ ...found, labels: found.labels.toSorted() }).toEqual(model.get(key));
                expect(found.expiresAtMs).toBeGreaterThan(tested.now());
              }
            } else if (step.kind === 'remove') {
              await store.invalidate(step.tenant, { kind: 'entry', key });
              model.delete(key);
            } else {
              await store.invalidate(step.tenant, { kind: 'label', label: `d${step.number}` });
              model.delete(key);
            }
            let total = 0;
            for (const name of ['acme', 'other']) total += (await store.usage(name)).sizeBytes;
            if (bounded) expect(total).toBeLessThanOrEqual(maxBytes);
          }
          // A look removes what has expired, so after one at each answer the sums are those of what was found.
          const found = await Promise.all([...model.values()].map(({ tenant: owner, key }) => store.get(owner, key)));
          const left = found.filter((answer) => answer !== undefined);
          const usages = await Promise.all(['acme', 'other'].map((each) => store.usage(each)));
          const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
          expect(sum(usages.map(({ entryCount }) => entryCount))).toBe(left.length);
          expect(sum(usages.map(({ sizeBytes }) => sizeBytes))).toBe(sum(left.map(sizeOf)));
        }),
        { numRuns: 40 },
      );
    });
  });
}
