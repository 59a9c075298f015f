import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import { startSweeps } from '../sweeps/run-sweeps.ts';
import type { SweepStore } from '../sweeps/sweep-store.ts';

/** Records on which replicas agree; each replica has a store of its own. */
export interface SweepRecords {
  replicas: readonly SweepStore[];
  close(): Promise<void>;
}

const log = createLogger('silent');
const poll = { timeout: 30_000, interval: 5 };

/** Checks that replicas share background work, and that it survives them. */
export function sweepsSuite(engine: string, open: () => Promise<SweepRecords>): void {
  describe(`sweeps on ${engine}`, () => {
    let records: SweepRecords;
    beforeAll(async () => {
      records = await open();
    });
    afterAll(() => records.close());
    const replica = (at: number) => records.replicas[at % records.replicas.length] as SweepStore;

    test('of many that ask concurrently, one gets the right; then none before it is due again', async () => {
      const take = (nowMs: number) =>
        Promise.all(
          Array.from({ length: 8 }, (_, at) => replica(at).takeSweep('a', `owner ${at}`, nowMs, nowMs + 100)),
        );
      const first = await take(1000);
      expect(first.filter(Boolean)).toHaveLength(1);
      const owner = first.indexOf(true);
      expect((await take(1099)).filter(Boolean)).toEqual([]);
      await replica(0).releaseSweep('a', `owner ${owner}`, 5000);
      expect((await take(4999)).filter(Boolean)).toEqual([]);
      expect((await take(5000)).filter(Boolean)).toHaveLength(1);
    });

    test('a right that was not renewed goes to another, and the first can neither extend nor release it', async () => {
      expect(await replica(0).takeSweep('b', 'dead', 1000, 1100)).toBe(true);
      expect(await replica(1).takeSweep('b', 'heir', 1100, 1200)).toBe(true);
      expect(await replica(0).renewSweep('b', 'dead', 9000)).toBe(false);
      await replica(0).releaseSweep('b', 'dead', 0);
      expect(await replica(2).takeSweep('b', 'third', 1150, 1250)).toBe(false);
      expect(await replica(1).renewSweep('b', 'heir', 1300)).toBe(true);
      expect(await replica(2).takeSweep('b', 'third', 1299, 1400)).toBe(false);
    });

    test('running replicas never do the same work together; one that loses its right stops', async () => {
      let runningCount = 0;
      let mostRunning = 0;
      let runCount = 0;
      let nowMs = 0;
      const run = async (signal: AbortSignal) => {
        mostRunning = Math.max(mostRunning, ++runningCount);
        runCount++;
        await sleep(3, signal).finally(() => runningCount--);
      };
      const start = (at: number) =>
        startSweeps([{ name: 'c', everyMs: 1, run }], {
          ...{ store: replica(at), owner: `owner ${at}`, clock: () => nowMs++, log },
          timing: { pollMs: 1, leaseMs: 1_000_000, renewMs: 50 },
        });
      const running = [0, 1, 2, 3].map(start);
      await expect.poll(() => runCount, poll).toBeGreaterThan(10);
      for (const sweeps of running) await sweeps.close();
      expect(mostRunning).toBe(1);

      let reason: unknown;
      let isRunning = false;
      const lost = startSweeps(
        [
          {
            name: 'd',
            everyMs: 1,
            async run(signal) {
              isRunning = true;
              reason = await sleep(60_000, signal).catch((error: unknown) => error);
            },
          },
        ],
        {
          ...{ store: replica(0), owner: 'slow', clock: () => 1000, log },
          timing: { pollMs: 1, leaseMs: 100, renewMs: 5 },
        },
      );
      await expect.poll(() => isRunning, poll).toBe(true);
      await expect.poll(() => replica(1).takeSweep('d', 'other', 2000, 9000), poll).toBe(true);
      await expect.poll(() => String(reason), poll).toContain('another replica');
      await lost.close();
      expect(await replica(2).takeSweep('d', 'third', 8000, 9000)).toBe(false);
    });

    test('what is closed in the middle of its work leaves it to the next', async () => {
      let isRunning = false;
      const first = startSweeps(
        [
          {
            name: 'e',
            everyMs: 1_000_000,
            run(signal) {
              isRunning = true;
              return sleep(60_000, signal);
            },
          },
        ],
        { store: replica(0), owner: 'leaves', clock: () => 1000, log },
      );
      await expect.poll(() => isRunning, poll).toBe(true);
      await first.close();
      expect(await replica(1).takeSweep('e', 'next', 1000, 2000)).toBe(true);
    });
  });
}
