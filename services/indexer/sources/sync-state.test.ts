import { expect, test } from 'vitest';
import {
  allowedRemovals,
  dueAtOf,
  firstState,
  neverMs,
  next,
  type SyncEvent,
  type SyncState,
  wantedOf,
} from './sync-state.ts';

const after = (events: SyncEvent[], from: SyncState = firstState(1000)) => events.reduce(next, from);
const failed = (nowMs: number, retryAfterMs = 0): SyncEvent => {
  return { kind: 'failed', nowMs, error: 'away', retryAfterMs, chance: 1 };
};

test('a new source is due, then at its schedule', () => {
  expect(dueAtOf(firstState(1000))).toBe(1000);
  expect(
    dueAtOf(
      after([
        { kind: 'started', nowMs: 1000 },
        { kind: 'succeeded', nextRunAtMs: 9000 },
      ]),
    ),
  ).toBe(9000);
});

test('failures wait longer each time, up to six hours, and as long as the place asks', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => {
    const state = after(Array.from({ length: count }, () => failed(0)));
    return state.nextRunAtMs / 60_000;
  });
  expect(waits).toEqual([1, 3, 9, 27, 81, 243, 360, 360]);
  expect(after([failed(0, 3_600_000)]).nextRunAtMs).toBe(3_600_000);
  expect(after([failed(0), { kind: 'succeeded', nextRunAtMs: 5 }])).toMatchObject({ failureCount: 0, error: '' });
});

test('the largest request is answered by one run', () => {
  const asked = after([
    { kind: 'requested', what: 'run' },
    { kind: 'requested', what: 'full' },
    { kind: 'requested', what: 'dry' },
  ]);
  expect(asked.requested).toBe('full');
  expect(dueAtOf(asked)).toBe(0);
  expect(after([{ kind: 'started', nowMs: 1000 }], asked).requested).toBe('none');
});

test('a paused source is not due, except for a dry run', () => {
  const paused = after([{ kind: 'requested', what: 'full' }, { kind: 'paused' }]);
  expect(dueAtOf(paused)).toBe(neverMs);
  expect(dueAtOf(after([{ kind: 'requested', what: 'dry' }], paused))).toBe(0);
  expect(dueAtOf(after([{ kind: 'resumed', nowMs: 7 }], paused))).toBe(7);
});

test('a run that was stopped is due again, and keeps its cursor', () => {
  const stopped = after([
    { kind: 'started', nowMs: 1000 },
    { kind: 'succeeded', nextRunAtMs: 9000 },
    { kind: 'advanced', cursor: 'c' },
    { kind: 'stopped', nowMs: 10 },
  ]);
  expect(stopped).toMatchObject({ cursor: 'c', nextRunAtMs: 10 });
});

test('what a run was asked for is due until the run ends, if its process dies too', () => {
  const scheduled = after([{ kind: 'succeeded', nextRunAtMs: 9000 }]);
  const started = (what: 'run' | 'full' | 'dry') =>
    after(
      [
        { kind: 'requested', what },
        { kind: 'started', nowMs: 2000 },
      ],
      scheduled,
    );
  expect([dueAtOf(started('full')), wantedOf(started('full'))]).toEqual([2000, 'full']);
  expect([dueAtOf(started('run')), wantedOf(started('run'))]).toEqual([2000, 'run']);
  expect(dueAtOf(started('dry'))).toBe(9000);
  // The next run is asked for less: it does what the one before did not.
  expect(wantedOf(after([{ kind: 'requested', what: 'run' }], started('full')))).toBe('full');
  for (const end of [{ kind: 'succeeded', nextRunAtMs: 9500 } as const, failed(3000)])
    expect(wantedOf(after([end], started('full')))).toBe('none');
});

test('another place begins without a cursor', () => {
  const there = after([
    { kind: 'advanced', cursor: 'c' },
    { kind: 'listed', nowMs: 5, heldCount: 0 },
  ]);
  const changed = (isMoved: boolean) => after([{ kind: 'changed', isMoved, nextRunAtMs: 1 }], there);
  expect(changed(false)).toMatchObject({ cursor: 'c', listedAtMs: 5 });
  expect(changed(true)).toMatchObject({ cursor: '', listedAtMs: 0 });
});

test('approval covers what was held, until the next listing', () => {
  const held = after([{ kind: 'listed', nowMs: 1, heldCount: 40 }]);
  expect(after([{ kind: 'approved', removalCount: 39 }], held).approvedCount).toBe(0);
  const approved = after([{ kind: 'approved', removalCount: 40 }], held);
  expect(approved).toMatchObject({ approvedCount: 40, requested: 'full' });
  expect(after([{ kind: 'listed', nowMs: 2, heldCount: 0 }], approved).approvedCount).toBe(0);
});

test.each([
  [100, 30, 30, 0, 30],
  [100, 31, 30, 0, 0],
  [100, 31, 30, 31, 31],
  [100, 32, 30, 31, 0],
  [3, 1, 30, 0, 0],
  [3, 3, 100, 0, 3],
  [3, 1, 0, 0, 0],
  [0, 0, 0, 0, 0],
])(
  'of %i entries %i are missing: with at most %i %% and %i approved, %i are removed',
  (all, missing, percent, approved, removed) => {
    expect(allowedRemovals({ approvedCount: approved }, all, missing, percent)).toBe(removed);
  },
);
