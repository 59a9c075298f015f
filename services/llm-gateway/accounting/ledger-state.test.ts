import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Failure } from './ledger-entry.ts';
import {
  type DeliveryEvent,
  type DeliveryState,
  type EntryStep,
  type FailedEntry,
  initialDelivery,
  maxInFlight,
  next,
  stepAfter,
} from './ledger-state.ts';

const bounds = { maxSending: 4, gatherMs: 50, backoffMs: 100, maxBackoffMs: 5000 };
const run = (...events: DeliveryEvent[]): DeliveryState =>
  events.reduce((state, event) => next(state, event, bounds), initialDelivery);
const recorded = (now: number, queuedCount = 1): DeliveryEvent => ({ kind: 'recorded', now, queuedCount });
const gathered = (now: number): DeliveryEvent => ({ kind: 'gathered', now });
const unavailable: DeliveryEvent = { kind: 'unavailable', random: 0 };

describe('the delivery', () => {
  test.each<[string, DeliveryState, number]>([
    ['sends the first entry immediately', run(recorded(0)), 4],
    ['gathers the entries after it', run(recorded(0), recorded(20)), 0],
    ['sends what it has gathered when the time is over', run(recorded(0), recorded(20), gathered(50)), 4],
    ['sends what it has gathered when there are enough entries', run(recorded(0), recorded(20), recorded(21, 4)), 4],
    ['stops while it backs off', run(recorded(0), unavailable), 0],
    ['probes with one entry after the backoff', run(recorded(0), unavailable, { kind: 'backoff-ended' }), 1],
    [
      'sends many entries again after a success',
      run(recorded(0), unavailable, { kind: 'backoff-ended' }, { kind: 'delivered' }),
      4,
    ],
    ['sends immediately when it closes', run(recorded(0), recorded(20), { kind: 'closing', now: 21 }), 4],
    ['ends its backoff when it closes', run(recorded(0), unavailable, { kind: 'closing', now: 21 }), 1],
  ])('%s', (_, state, count) => {
    expect(maxInFlight(state, bounds)).toBe(count);
  });
});

test('entries are gathered for the rest of the time since the last delivery', () => {
  expect(run(recorded(100), recorded(120)).gather).toEqual({ ms: 30 });
});

test('the backoff doubles up to its limit, and stays short while the ledger closes', () => {
  const again: DeliveryEvent[] = [unavailable, { kind: 'backoff-ended' }];
  expect(run(unavailable).backoff).toEqual({ ms: 50 });
  expect(run(...again, ...again, unavailable).backoff).toEqual({ ms: 200 });
  expect(run(...Array.from({ length: 12 }, () => again).flat(), unavailable).backoff).toEqual({ ms: 2500 });
  expect(run({ kind: 'closing', now: 0 }, ...again, ...again, unavailable).backoff).toEqual({ ms: 50 });
});

test('deliveries that fail together are one failure', () => {
  expect(run(unavailable, unavailable, unavailable)).toEqual(run(unavailable));
});

test('no sequence of events stops the delivery permanently: it sends after its timers, and when it closes', () => {
  const events = fc.constantFrom<DeliveryEvent>(
    recorded(0),
    recorded(30, 2),
    recorded(30, 4),
    gathered(60),
    unavailable,
    { kind: 'backoff-ended' },
    { kind: 'delivered' },
    { kind: 'closing', now: 70 },
  );
  fc.assert(
    fc.property(fc.array(events, { maxLength: 20 }), (given) => {
      const closed = run(...given, { kind: 'closing', now: 80 });
      expect(maxInFlight(closed, bounds)).toBeGreaterThan(0);
      const due = run(...given, gathered(80), { kind: 'backoff-ended' });
      expect(maxInFlight(due, bounds)).toBe(due.failureCount > 0 ? 1 : 4);
      expect(maxInFlight(next(due, { kind: 'delivered' }, bounds), bounds)).toBe(4);
    }),
  );
});

describe('a failed delivery of an entry', () => {
  const entry: FailedEntry = { attempts: 16, maxAttempts: 16, othersWereDelivered: true, canSign: true };
  test.each<[string, Failure, Partial<FailedEntry>, EntryStep['kind']]>([
    ['is repeated with a new token', 'expired', {}, 'sign'],
    ['is final if no token can be signed', 'expired', { canSign: false }, 'drop'],
    ['is final if audit refused the entry', 'refused', {}, 'drop'],
    ['is final if the entry cannot be encoded', 'unencodable', {}, 'drop'],
    ['is repeated apart from the others', 'failed', { attempts: 15 }, 'isolate'],
    [
      'is repeated without a limit while audit accepts no other entry',
      'failed',
      { othersWereDelivered: false },
      'isolate',
    ],
    ['is final after its attempts if audit accepts others', 'failed', {}, 'drop'],
    ['is repeated after a backoff if audit does not answer', 'unavailable', {}, 'back-off'],
  ])('%s', (_, failure, init, kind) => {
    expect(stepAfter(failure, { ...entry, ...init }).kind).toBe(kind);
  });
});
