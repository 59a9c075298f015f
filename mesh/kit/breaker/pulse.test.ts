import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPulse, type Pulse } from './pulse.ts';

let pulse: Pulse;
let isAlive = true;
let askedCount = 0;
const changes: boolean[] = [];
const refusal = new Error('refused');
const never = new Promise<never>(() => {});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  isAlive = true;
  askedCount = 0;
  changes.length = 0;
  const ask = () => {
    askedCount++;
    return isAlive ? Promise.resolve() : never;
  };
  pulse = createPulse(
    'store',
    ask,
    (error) => error === refusal,
    (isOpen) => changes.push(isOpen),
  );
});
afterEach(() => {
  pulse.close();
  vi.useRealTimers();
});

test('a call that takes long closes nothing to others while the dependency gives a sign of life', async () => {
  void pulse.watch(() => never);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(askedCount).toBeGreaterThan(10);
  expect(changes).toEqual([]);
  pulse.check();
});

test('without a sign of life calls end immediately, and begin again at the first sign, although no caller tries', async () => {
  isAlive = false;
  void pulse.watch(() => never);
  await vi.advanceTimersByTimeAsync(3100);
  expect(changes).toEqual([true]);
  expect(() => pulse.check()).toThrow(expect.objectContaining({ code: Code.Unavailable }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(changes).toEqual([true]);
  isAlive = true;
  await vi.advanceTimersByTimeAsync(3100);
  expect(changes).toEqual([true, false]);
  pulse.check();
});

test('replies to other calls, and refusals, are signs of life: no one is asked', async () => {
  isAlive = false;
  void pulse.watch(() => never);
  for (let count = 0; count < 20; count++) {
    await vi.advanceTimersByTimeAsync(300);
    await pulse.watch(() => (count % 2 === 0 ? Promise.resolve() : Promise.reject(refusal))).catch(() => {});
  }
  expect(askedCount).toBe(0);
  expect(changes).toEqual([]);
});

test('nothing is asked while no call waits', async () => {
  await pulse.watch(async () => {});
  await vi.advanceTimersByTimeAsync(60_000);
  expect(askedCount).toBe(0);
});
