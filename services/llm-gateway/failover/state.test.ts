import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProviderError, type Remedy } from '../providers/error.ts';
import {
  type FailoverEvent,
  type FailoverState,
  firstTokenMs,
  initialState,
  next,
  type PlanInput,
  plan,
  retryAfterMs,
  type TargetView,
} from './state.ts';

const fault = (remedy: Remedy, init: Partial<ConstructorParameters<typeof ProviderError>[0]> = {}) =>
  new ProviderError({ remedy, message: remedy, ...init });
const view = (init: Partial<TargetView> = {}): TargetView => ({
  circuitWaitMs: 0,
  coolDownMs: 0,
  canPrefill: false,
  firstTokenMs: 1000,
  ...init,
});
const input = (views: TargetView[], init: Partial<PlanInput> = {}): PlanInput => ({
  views,
  now: 0,
  deadlineAt: 10_000,
  maxAttempts: 4,
  prefersPrefill: false,
  ...init,
});
const failed = (index: number, error: ProviderError, init: object = {}): FailoverEvent => ({
  kind: 'failed',
  index,
  error,
  hasContent: false,
  continues: false,
  now: 0,
  random: 0,
  stayMs: 2000,
  ...init,
});
const run = (count: number, ...events: FailoverEvent[]): FailoverState => events.reduce(next, initialState(count));

const two = [view(), view()];
const started = (index: number): FailoverEvent => ({ kind: 'started', index });

describe('the next attempt', () => {
  test.each<[string, FailoverState, PlanInput, ReturnType<typeof plan>]>([
    ['goes to the targets in their order', run(2), input(two), { kind: 'try', indexes: [0, 1], continues: false }],
    [
      'goes to another target immediately after a failure',
      run(2, started(0), failed(0, fault('retry'))),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'waits at the target for a short Retry-After',
      run(2, started(0), failed(0, fault('retry', { kind: 'rate-limited', retryAfterMs: 1500 }))),
      input(two),
      { kind: 'wait', ms: 1625 },
    ],
    [
      'then goes to that target first',
      run(2, started(0), failed(0, fault('retry', { kind: 'rate-limited', retryAfterMs: 1500 }))),
      input(two, { now: 1700 }),
      { kind: 'try', indexes: [0, 1], continues: false },
    ],
    [
      'goes elsewhere after a second failure there',
      run(
        2,
        started(0),
        failed(0, fault('retry', { status: 500 })),
        started(0),
        failed(0, fault('retry', { status: 500 })),
      ),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'waits a moment at a target whose first failure has no reason',
      run(2, started(0), failed(0, fault('retry', { status: 500 }))),
      input(two),
      { kind: 'wait', ms: 125 },
    ],
    [
      'goes elsewhere if the wait would take over half of the time',
      run(2, started(0), failed(0, fault('retry', { retryAfterMs: 1500 }))),
      input(two, { deadlineAt: 3000 }),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'goes elsewhere if the provider asks for a longer wait than is configured',
      run(2, started(0), failed(0, fault('retry', { retryAfterMs: 2001 }))),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'never stays if that is off',
      run(2, started(0), failed(0, fault('retry', { status: 500 }), { stayMs: 0 })),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'goes elsewhere if the target is excluded meanwhile',
      run(2, started(0), failed(0, fault('retry', { status: 500 })), { kind: 'excluded', index: 0 }),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'waits for the backoff if there is no other target',
      run(1, started(0), failed(0, fault('retry'))),
      input([view()]),
      { kind: 'wait', ms: 125 },
    ],
    [
      'waits at least as long as the provider asked for',
      run(1, started(0), failed(0, fault('retry', { retryAfterMs: 700 }))),
      input([view()]),
      { kind: 'wait', ms: 825 },
    ],
    [
      'does not wait beyond the deadline',
      run(1, started(0), failed(0, fault('retry', { retryAfterMs: 20_000 }))),
      input([view()]),
      { kind: 'exhausted' },
    ],
    [
      'does not happen once the budget is used up',
      run(1, started(0)),
      input([view()], { maxAttempts: 1 }),
      { kind: 'exhausted' },
    ],
    [
      'skips a target that cannot help',
      run(2, started(0), failed(0, fault('elsewhere'))),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'skips a target whose circuit is open',
      run(2),
      input([view({ circuitWaitMs: 500 }), view()]),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'waits while every target is cooling down',
      run(2),
      input([view({ coolDownMs: 900 }), view({ coolDownMs: 300 })]),
      { kind: 'wait', ms: 300 },
    ],
    [
      'prefers the target with fewer attempts',
      run(2, started(0), started(0), started(1)),
      input(two),
      { kind: 'try', indexes: [1, 0], continues: false },
    ],
    [
      'prefers a target that can continue the partial answer',
      run(2),
      input([view(), view({ canPrefill: true })], { prefersPrefill: true }),
      { kind: 'try', indexes: [1], continues: true },
    ],
    [
      'begins a new answer if the target has rejected the partial one',
      run(1, started(0), failed(0, fault('fix-request', { kind: 'invalid' }), { continues: true })),
      input([view({ canPrefill: true })], { prefersPrefill: true }),
      { kind: 'try', indexes: [0], continues: false },
    ],
    [
      'skips a target without a free slot',
      run(2, { kind: 'no-slot', index: 0, error: fault('retry') }),
      input(two),
      { kind: 'try', indexes: [1], continues: false },
    ],
    [
      'returns after a moment to a target that another request probes',
      run(1, { kind: 'circuit-open', index: 0, now: 10 }),
      input([view()], { now: 10 }),
      { kind: 'wait', ms: 5 },
    ],
  ])('%s', (_, state, given, wanted) => {
    expect(plan(state, given)).toEqual(wanted);
  });
});

test('the reported failure is one that a retry can fix, if there is one', () => {
  const busy = fault('retry');
  const refused = fault('elsewhere');
  expect(run(2, failed(0, refused), failed(1, busy)).failure).toEqual({ index: 1, error: busy });
  expect(run(2, failed(0, busy), failed(1, refused)).failure).toEqual({ index: 0, error: busy });
});

test('a rejected partial answer is not a failure of the target', () => {
  const state = run(1, started(0), failed(0, fault('fix-request', { kind: 'invalid' }), { continues: true }));
  expect(state.failure).toBeUndefined();
  expect(state.candidates[0]).toMatchObject({ attempts: 0, rejectsPrefill: true, isExcluded: false });
});

test('an attempt leaves time to the targets that may still be called', () => {
  const views = [view({ firstTokenMs: 8000 }), view({ firstTokenMs: 8000 })];
  expect(firstTokenMs(run(2, started(0)), 0, input(views))).toBe(5000);
  expect(firstTokenMs(run(2, started(0)), 0, input(views, { maxAttempts: 1 }))).toBe(8000);
  expect(firstTokenMs(run(2, started(0)), 0, input([view({ firstTokenMs: 8000 }), view()]))).toBe(8000);
});

test('the caller is asked to retry when the first remaining target is ready', () => {
  const state = run(3, failed(0, fault('retry', { retryAfterMs: 400 })), { kind: 'excluded', index: 1 });
  const views = [view(), view(), view({ circuitWaitMs: 2000 })];
  expect(retryAfterMs(state, views, 0)).toBe(525);
  expect(retryAfterMs(run(1, { kind: 'excluded', index: 0 }), [view()], 0)).toBeUndefined();
});

test('no sequence of failures exceeds the budget, waits beyond the deadline or calls an excluded target', () => {
  const remedies = fc.constantFrom<Remedy>('retry', 'elsewhere', 'fix-request');
  const step = fc.record({
    remedy: remedies,
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined }),
    random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    circuitWaitMs: fc.constantFrom(0, 0, 50),
    coolDownMs: fc.constantFrom(0, 0, 400),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 30 }), (count, steps) => {
      let state = initialState(count);
      let now = 0;
      const [deadlineAt, maxAttempts] = [5000, 6];
      for (const { circuitWaitMs, coolDownMs, ...rest } of steps) {
        const views = Array.from({ length: count }, () => view({ circuitWaitMs, coolDownMs }));
        const chosen = plan(state, input(views, { now, deadlineAt, maxAttempts }));
        if (chosen.kind === 'exhausted') continue;
        if (chosen.kind === 'wait') {
          now += chosen.ms;
          expect(now).toBeLessThan(deadlineAt);
          continue;
        }
        const index = chosen.indexes[0] as number;
        expect(state.candidates[index]?.isExcluded).toBe(false);
        state = next(state, { kind: 'started', index });
        const error = fault(rest.remedy, { retryAfterMs: rest.retryAfterMs });
        state = next(state, failed(index, error, { now, random: rest.random }));
      }
      expect(state.attemptCount).toBeLessThanOrEqual(maxAttempts);
    }),
  );
});
