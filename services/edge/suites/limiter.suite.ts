import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import type { Limiter, LimiterDeps } from '../admission/limiter.ts';

/** What every limiter does. `create` makes one with counters of its own. */
export function limiterSuite(name: string, create: (deps: LimiterDeps) => Promise<Limiter>): void {
  describe(`limiter ${name}`, () => {
    const bucket = { key: 'tenant a', perSecond: 2, burst: 3 };

    test('admits a burst, then at the rate, and says when to come again', async () => {
      let now = 1_000_000;
      const limiter = await create({ clock: () => now, log: createLogger('silent') });
      for (let count = 0; count < 3; count++) expect(await limiter.take([bucket])).toMatchObject({ admitted: true });
      expect(await limiter.take([bucket])).toEqual({ admitted: false, key: 'tenant a', retryAfterMs: 500 });
      now += 499;
      expect(await limiter.take([bucket])).toMatchObject({ admitted: false, retryAfterMs: 1 });
      now += 1;
      expect(await limiter.take([bucket])).toMatchObject({ admitted: true });
      expect(await limiter.take([bucket])).toMatchObject({ admitted: false });
      await limiter.close();
    });

    test('says what is left in each bucket, and when it is full again', async () => {
      let now = 5_000;
      const limiter = await create({ clock: () => now, log: createLogger('silent') });
      const wide = { key: 'user w', perSecond: 10, burst: 100 };
      const first = await limiter.take([bucket, wide]);
      expect(first).toEqual({
        admitted: true,
        levels: [
          { remaining: 2, fullAfterMs: 500 },
          { remaining: 99, fullAfterMs: 100 },
        ],
      });
      now += 250;
      expect(await limiter.take([bucket])).toMatchObject({ levels: [{ remaining: 1, fullAfterMs: 750 }] });
      await limiter.close();
    });

    test('takes from all buckets or from none', async () => {
      const limiter = await create({ clock: () => 0, log: createLogger('silent') });
      const narrow = { key: 'user u', perSecond: 1, burst: 1 };
      expect(await limiter.take([bucket, narrow])).toMatchObject({ admitted: true });
      for (let count = 0; count < 10; count++) {
        expect(await limiter.take([bucket, narrow])).toMatchObject({ admitted: false, key: 'user u' });
      }
      expect(await limiter.take([bucket])).toMatchObject({ admitted: true });
      expect(await limiter.take([bucket])).toMatchObject({ admitted: true });
      expect(await limiter.take([bucket])).toMatchObject({ admitted: false });
      await limiter.close();
    });

    test('a clock that goes back takes nothing away', async () => {
      let now = 10_000;
      const limiter = await create({ clock: () => now, log: createLogger('silent') });
      await limiter.take([bucket]);
      now = 0;
      expect(await limiter.take([bucket])).toMatchObject({ admitted: true });
      await limiter.close();
    });

    test('never admits more than the burst and the rate allow, whatever the times', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 60 }), async (pausesMs) => {
          let now = 0;
          const limiter = await create({ clock: () => now, log: createLogger('silent') });
          let admitted = 0;
          for (const pauseMs of pausesMs) {
            now += pauseMs;
            if ((await limiter.take([bucket])).admitted) admitted++;
            expect(admitted).toBeLessThanOrEqual(bucket.burst + (now * bucket.perSecond) / 1000 + 1e-6);
          }
          await limiter.close();
        }),
        { numRuns: 50 },
      );
    });
  });
}
