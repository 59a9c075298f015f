import { setTimeout as after } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test, vi } from 'vitest';
import { within } from './within.ts';

const never = () => new Promise<never>(() => {});

describe('work within bounds', () => {
  test('its result comes back, and its error as it is', async () => {
    expect(await within(async () => 7, { timeoutMs: 60_000 })).toBe(7);
    const error = new Error('the disk is full');
    await expect(within(() => Promise.reject(error), { timeoutMs: 60_000 })).rejects.toBe(error);
  });

  test('a timeout ends the wait and aborts the work, even if the work ignores its signal', async () => {
    let seen: AbortSignal | undefined;
    const work = (signal: AbortSignal) => {
      seen = signal;
      return never();
    };
    const error = await within(work, { timeoutMs: 1 }).catch((thrown: unknown) => thrown);
    expect(ConnectError.from(error).code).toBe(Code.DeadlineExceeded);
    expect(seen?.aborted).toBe(true);
    await expect(within(never, { timeoutMs: 1, toTimeoutError: (ms) => `late after ${ms}` })).rejects.toBe(
      'late after 1',
    );
  });

  test('any of the signals ends the wait with its reason, and none starts work once it has aborted', async () => {
    const caller = new AbortController();
    const process = new AbortController();
    const wait = within(never, { signals: [undefined, caller.signal, process.signal] });
    process.abort('the process stops');
    await expect(wait).rejects.toBe('the process stops');
    const work = vi.fn(async () => 1);
    await expect(within(work, { signals: [caller.signal, process.signal] })).rejects.toBe('the process stops');
    expect(work).not.toHaveBeenCalled();
  });

  test('a late result goes to onLate, and a late error is dropped', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const onLate = vi.fn();
    await expect(within(() => promise, { timeoutMs: 1, onLate })).rejects.toThrow('no result within 1 ms');
    resolve(5);
    await promise;
    await vi.waitFor(() => expect(onLate).toHaveBeenCalledExactlyOnceWith(5));
    const failing = within(() => after(5).then(() => Promise.reject(new Error('late'))), { timeoutMs: 1 });
    await expect(failing).rejects.toThrow('no result within 1 ms');
    await after(10);
  });

  test('a result that arrived while the process was busy is in time', async () => {
    const work = () => after(1).then(() => 'here');
    const wait = within(work, { timeoutMs: 2 });
    const busyUntil = performance.now() + 30;
    while (performance.now() < busyUntil);
    expect(await wait).toBe('here');
  });

  test('no listener stays on a signal', async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    await within(async () => 1, { timeoutMs: 60_000, signals: [signal] });
    expect(removed).toHaveBeenCalledOnce();
  });
});
