import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Demand, LimitStore, ScopeLimits } from '../limits/limit-store.ts';

/** Limits for tests: none but those given. */
export function limitsOf(given: Partial<ScopeLimits>): ScopeLimits {
  return {
    requestsPerMinute: 0,
    tokensPerMinute: 0,
    costMicrosPerDay: 0,
    costMicrosPerMonth: 0,
    maxConcurrent: 0,
    ...given,
  };
}

/** A demand for tests: of tenant "acme", under one limit. */
export function demandOf(id: string, limits: Partial<ScopeLimits>, parts: Partial<Demand> = {}): Demand {
  const scopes = [{ name: 'tenant', limits: limitsOf(limits) }];
  return { id, tenant: 'acme', scopes, tokens: 0, costMicros: 0, ...parts };
}

/** Noon of a day in the middle of a month. */
export const noon = Date.UTC(2026, 10, 15, 12);

const dayMs = 24 * 3600 * 1000;

/** The contract of every limit store. `create` makes a store with its own counters, which ends with the test. */
export function limitStoreSuite(
  name: string,
  create: (clock: () => number) => Promise<LimitStore>,
  numRuns = 30,
): void {
  describe(`limit store ${name}`, () => {
    const start = async () => {
      const time = { now: noon };
      const store = await create(() => time.now);
      return { time, store };
    };
    const admitted = { admitted: true };

    test('admits up to the requests of a minute, and says when the next one may come', async () => {
      const { time, store } = await start();
      const limits = { requestsPerMinute: 2 };
      expect(await store.reserve(demandOf('a', limits))).toMatchObject(admitted);
      time.now += 20_000;
      expect(await store.reserve(demandOf('b', limits))).toMatchObject(admitted);
      await store.settle('a', { tokens: 0, costMicros: 0 });
      const refusal = await store.reserve(demandOf('c', limits));
      expect(refusal).toEqual({
        ...{ admitted: false, scopeIndex: 0, kind: 'requestsPerMinute', retryAfterMs: 45_000, remaining: 0 },
      });
      time.now += 44_999;
      expect(await store.reserve(demandOf('c', limits))).toMatchObject({ retryAfterMs: 1 });
      time.now += 1;
      expect(await store.reserve(demandOf('c', limits))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('d', limits))).toMatchObject({ retryAfterMs: 20_000 });
    });

    test('returns what is used of a scope, of its own tenant, until it resets', async () => {
      const { time, store } = await start();
      const limits = {
        requestsPerMinute: 9,
        tokensPerMinute: 90,
        costMicrosPerDay: 900,
        costMicrosPerMonth: 9000,
        maxConcurrent: 2,
      };
      const { scopes } = demandOf('a', limits);
      await store.reserve(demandOf('a', limits, { tokens: 30, costMicros: 300 }));
      const [reserved] = await store.read('acme', scopes);
      expect(reserved).toEqual({ requests: 1, tokens: 30, dayMicros: 300, monthMicros: 300, running: 1 });
      await store.settle('a', { tokens: 10, costMicros: 100 });
      const [settled] = await store.read('acme', scopes);
      expect(settled).toEqual({ requests: 1, tokens: 10, dayMicros: 100, monthMicros: 100, running: 0 });
      const unused = { requests: 0, tokens: 0, dayMicros: 0, monthMicros: 0, running: 0 };
      expect(await store.read('other', scopes)).toEqual([unused]);
      time.now += dayMs;
      expect(await store.read('acme', scopes)).toEqual([{ ...unused, monthMicros: 100 }]);
      expect(await store.read('acme', [])).toEqual([]);
    });

    test('says what is left of the limit that refuses, reservations counted as used', async () => {
      const { store } = await start();
      const limits = { tokensPerMinute: 100, costMicrosPerDay: 50 };
      expect(await store.reserve(demandOf('a', limits, { tokens: 30, costMicros: 40 }))).toMatchObject(admitted);
      const money = await store.reserve(demandOf('b', limits, { tokens: 1, costMicros: 11 }));
      expect(money).toMatchObject({ kind: 'costMicrosPerDay', remaining: 10 });
      const tokens = await store.reserve(demandOf('b', limits, { tokens: 71, costMicros: 1 }));
      expect(tokens).toMatchObject({ kind: 'tokensPerMinute', remaining: 70 });
      const never = await store.reserve(demandOf('b', limits, { tokens: 101, costMicros: 1 }));
      expect(never).toMatchObject({ kind: 'tokensPerMinute', retryAfterMs: undefined, remaining: 70 });
    });

    test('says what of the minute is used in each scope, reservations included', async () => {
      const { time, store } = await start();
      const scopes = [
        { name: 'tenant', limits: limitsOf({ requestsPerMinute: 10, tokensPerMinute: 1000 }) },
        { name: 'key:k', limits: limitsOf({ tokensPerMinute: 500 }) },
      ];
      const first = await store.reserve(demandOf('a', {}, { scopes, tokens: 100 }));
      expect(first).toEqual({
        admitted: true,
        minutes: [
          { requests: 1, tokens: 100 },
          { requests: 0, tokens: 100 },
        ],
      });
      await store.settle('a', { tokens: 30, costMicros: 0 });
      time.now += 10_000;
      expect(await store.reserve(demandOf('b', {}, { scopes, tokens: 7 }))).toMatchObject({
        minutes: [
          { requests: 2, tokens: 37 },
          { requests: 0, tokens: 37 },
        ],
      });
    });

    test('within any 60 seconds there are never more requests or tokens than the limit, and what it says of later holds', async () => {
      const step = fc.record({ pauseMs: fc.integer({ min: 0, max: 30_000 }), tokens: fc.integer({ min: 1, max: 60 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { time, store } = await start();
          const limits = { requestsPerMinute: 5, tokensPerMinute: 100 };
          const admissions: { at: number; tokens: number }[] = [];
          for (const [index, { pauseMs, tokens }] of steps.entries()) {
            time.now += pauseMs;
            let decision = await store.reserve(demandOf(`${index}`, limits, { tokens }));
            if (!decision.admitted && index % 3 === 0) {
              time.now += (decision.retryAfterMs as number) - 1;
              expect(await store.reserve(demandOf(`${index}`, limits, { tokens }))).toMatchObject({ retryAfterMs: 1 });
              time.now += 1;
              decision = await store.reserve(demandOf(`${index}`, limits, { tokens }));
              expect(decision).toMatchObject(admitted);
            }
            if (!decision.admitted) continue;
            admissions.push({ at: time.now, tokens });
            const recent = admissions.filter(({ at }) => at > time.now - 60_000);
            expect(recent.length).toBeLessThanOrEqual(5);
            expect(recent.reduce((sum, { tokens: used }) => sum + used, 0)).toBeLessThanOrEqual(100);
          }
          await store.close();
        }),
        { numRuns },
      );
    });

    test('tokens that were reserved and not used come back when they are settled, and those used beyond it count', async () => {
      const { time, store } = await start();
      const limits = { tokensPerMinute: 100 };
      expect(await store.reserve(demandOf('a', limits, { tokens: 90 }))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('b', limits, { tokens: 20 }))).toMatchObject({ kind: 'tokensPerMinute' });
      await store.settle('a', { tokens: 30, costMicros: 0 });
      expect(await store.reserve(demandOf('b', limits, { tokens: 20 }))).toMatchObject(admitted);
      time.now += 30_000;
      await store.settle('b', { tokens: 50, costMicros: 0 });
      expect(await store.reserve(demandOf('c', limits, { tokens: 21 }))).toMatchObject({ retryAfterMs: 35_000 });
      expect(await store.reserve(demandOf('c', limits, { tokens: 20 }))).toMatchObject(admitted);
      time.now += 35_000;
      expect(await store.reserve(demandOf('d', limits, { tokens: 51 }))).toMatchObject({ retryAfterMs: 30_000 });
      expect(await store.reserve(demandOf('d', limits, { tokens: 50 }))).toMatchObject(admitted);
    });

    test('only the first settlement counts, and only the first reservation of an id', async () => {
      const { store } = await start();
      const limits = { tokensPerMinute: 100, maxConcurrent: 2, costMicrosPerDay: 100 };
      const parts = { tokens: 50, costMicros: 50 };
      for (let count = 0; count < 3; count++)
        expect(await store.reserve(demandOf('a', limits, parts))).toMatchObject(admitted);
      for (let count = 0; count < 3; count++) await store.settle('a', { tokens: 40, costMicros: 40 });
      await store.settle('never reserved', { tokens: 40, costMicros: 40 });
      expect(await store.reserve(demandOf('b', limits, { tokens: 60, costMicros: 60 }))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('c', limits, { tokens: 1 }))).toMatchObject({ kind: 'tokensPerMinute' });
      expect(await store.reserve(demandOf('c', limits, { costMicros: 1 }))).toMatchObject({ kind: 'costMicrosPerDay' });
      expect(await store.reserve(demandOf('c', limits))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('d', limits))).toMatchObject({ kind: 'maxConcurrent' });
    });

    test('a request that was never made leaves nothing', async () => {
      const { store } = await start();
      const limits = { requestsPerMinute: 1, tokensPerMinute: 10, costMicrosPerDay: 10, maxConcurrent: 1 };
      for (let count = 0; count < 3; count++) {
        const demand = demandOf(`${count}`, limits, { tokens: 10, costMicros: 10 });
        expect(await store.reserve(demand)).toMatchObject(admitted);
        await store.settle(demand.id, undefined);
      }
    });

    test('money is counted by day and by month, in the period in which it was reserved', async () => {
      const { time, store } = await start();
      const limits = { costMicrosPerDay: 100, costMicrosPerMonth: 150 };
      const spend = async (id: string, costMicros: number) => {
        const decision = await store.reserve(demandOf(id, limits, { costMicros }));
        if (decision.admitted) await store.settle(id, { tokens: 0, costMicros });
        return decision;
      };
      expect(await spend('a', 100)).toMatchObject(admitted);
      expect(await spend('b', 1)).toMatchObject({ kind: 'costMicrosPerDay', retryAfterMs: dayMs / 2 });
      time.now += dayMs / 2;
      expect(await spend('b', 51)).toMatchObject({ kind: 'costMicrosPerMonth', retryAfterMs: 15 * dayMs });
      expect(await store.reserve(demandOf('late', limits, { costMicros: 50 }))).toMatchObject(admitted);
      time.now += 15 * dayMs;
      expect(await spend('c', 100)).toMatchObject(admitted);
      await store.settle('late', { tokens: 0, costMicros: 10 });
      expect(await spend('d', 1)).toMatchObject({ kind: 'costMicrosPerDay', retryAfterMs: dayMs });
    });

    test('a request that only reservations refuse may retry soon; a request beyond the limit, never', async () => {
      const { store } = await start();
      const limits = { costMicrosPerDay: 100, tokensPerMinute: 100, requestsPerMinute: 100 };
      expect(await store.reserve(demandOf('a', limits, { costMicros: 90 }))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('b', limits, { costMicros: 20 }))).toMatchObject({ retryAfterMs: 1000 });
      for (const parts of [{ costMicros: 101 }, { tokens: 101 }]) {
        expect(await store.reserve(demandOf('b', limits, parts))).toMatchObject({ retryAfterMs: undefined });
      }
    });

    test('reserves in all scopes or in none, and names the one with the longest wait', async () => {
      const { store } = await start();
      const scopes = [
        { name: 'tenant', limits: limitsOf({ requestsPerMinute: 100, maxConcurrent: 5 }) },
        { name: 'key:k', limits: limitsOf({ requestsPerMinute: 1, costMicrosPerDay: 10 }) },
      ];
      expect(await store.reserve(demandOf('a', {}, { scopes, costMicros: 10 }))).toMatchObject(admitted);
      for (let count = 0; count < 200; count++) {
        const decision = await store.reserve(demandOf(`b${count}`, {}, { scopes, costMicros: 1 }));
        expect(decision).toMatchObject({ admitted: false, scopeIndex: 1, kind: 'requestsPerMinute' });
      }
      expect(await store.reserve(demandOf('c', {}, { scopes: scopes.slice(0, 1) }))).toMatchObject(admitted);
    });

    test('a limit on concurrent requests is reported only if no other limit refuses the request', async () => {
      const { time, store } = await start();
      const limits = { maxConcurrent: 1, tokensPerMinute: 10 };
      expect(await store.reserve(demandOf('a', limits, { tokens: 10 }))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('b', limits, { tokens: 1 }))).toMatchObject({ kind: 'tokensPerMinute' });
      time.now += 64_999;
      const refusal = { kind: 'tokensPerMinute', retryAfterMs: 1 };
      expect(await store.reserve(demandOf('b', limits, { tokens: 1 }))).toMatchObject(refusal);
      const first = [{ name: 'key:k', limits: limitsOf({ maxConcurrent: 1 }) }, ...demandOf('', limits).scopes];
      expect(await store.reserve(demandOf('k', {}, { scopes: first.slice(0, 1) }))).toMatchObject(admitted);
      for (const scopes of [first, first.toReversed()]) {
        expect(await store.reserve(demandOf('b', {}, { scopes, tokens: 1 }))).toMatchObject(refusal);
      }
      time.now += 1;
      expect(await store.reserve(demandOf('b', limits))).toMatchObject({ kind: 'maxConcurrent', retryAfterMs: 1000 });
      await store.settle('a', { tokens: 1, costMicros: 0 });
      expect(await store.reserve(demandOf('b', limits, { tokens: 1 }))).toMatchObject(admitted);
    });

    test('tenants, and scopes of a tenant, do not count together', async () => {
      const { store } = await start();
      const limits = { maxConcurrent: 1 };
      const scopes = [{ name: 'key:tenant', limits: limitsOf(limits) }];
      expect(await store.reserve(demandOf('a', limits))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('b', limits, { tenant: 'bolt' }))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('c', {}, { scopes }))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('d', limits))).toMatchObject({ admitted: false });
    });

    test('amounts stay exact up to 2^53 - 1', async () => {
      const { store } = await start();
      const limits = { costMicrosPerMonth: Number.MAX_SAFE_INTEGER };
      const amount = { costMicros: Number.MAX_SAFE_INTEGER - 1 };
      expect(await store.reserve(demandOf('a', limits, amount))).toMatchObject(admitted);
      expect(await store.reserve(demandOf('b', limits, { costMicros: 2 }))).toMatchObject({ admitted: false });
      expect(await store.reserve(demandOf('c', limits, { costMicros: 1 }))).toMatchObject(admitted);
    });

    test('of many concurrent requests exactly those that fit are admitted, whatever is settled meanwhile', async () => {
      const each = fc.record({ tokens: fc.integer({ min: 1, max: 40 }), costMicros: fc.integer({ min: 0, max: 40 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(each, { minLength: 1, maxLength: 40 }), async (demands) => {
          const { store } = await start();
          const limits = { requestsPerMinute: 20, tokensPerMinute: 300, costMicrosPerDay: 250, maxConcurrent: 7 };
          const sum = { requests: 0, tokens: 0, costMicros: 0 };
          let running = 0;
          await Promise.all(
            demands.map(async ({ tokens, costMicros }, index) => {
              const demand = demandOf(`${index}`, limits, { tokens, costMicros });
              if (!(await store.reserve(demand)).admitted) return;
              running += 1;
              expect(running).toBeLessThanOrEqual(7);
              sum.requests += 1;
              sum.tokens += tokens;
              sum.costMicros += costMicros;
              if (index % 2 === 1) return;
              running -= 1;
              await store.settle(demand.id, { tokens, costMicros });
            }),
          );
          expect(sum.requests).toBeLessThanOrEqual(20);
          expect(sum.tokens).toBeLessThanOrEqual(300);
          expect(sum.costMicros).toBeLessThanOrEqual(250);
          await store.close();
        }),
        { numRuns },
      );
    });
  });
}
