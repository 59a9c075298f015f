import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runReplicas } from '../testing/replica-model.ts';
import { acquiring, filling, next, type Sharing, type SharingEvent, silentLinkMs } from './sharing.ts';

const held = { leaseId: 'theirs', begunAtMs: 5 };
const ours: SharingEvent = { is: 'acquired', held: { leaseId: 'ours', begunAtMs: 1 }, isOurs: true, nowMs: 0 };
const theirs: SharingEvent = { is: 'acquired', held, isOurs: false, nowMs: 0 };
const appended: SharingEvent = { is: 'appended' };
const sent: SharingEvent = { is: 'sent', isHeld: true };
const kept: SharingEvent = { is: 'ended', end: 'finished', keptMs: 2000 };
const renewed = (status: 'held' | 'moved' | 'gone' | 'lost'): SharingEvent => ({
  ...{ is: 'renewed', status, lease: { leaseId: 'ours', begunAtMs: 1 }, nowMs: 0 },
});
const news: SharingEvent = { is: 'news' };
const heartbeat: SharingEvent = { is: 'heartbeat' };
const readOf = (fields: Partial<Extract<SharingEvent, { is: 'read' }>> = {}): SharingEvent => ({
  ...{ is: 'read', batchCount: 0, position: '0', end: undefined, isHeld: true, nowMs: 0, ...fields },
});

/** The phase after events, and the effects of the last one. */
function after(start: Sharing, ...events: SharingEvent[]): [phase: Sharing['phase'], effects: string[]] {
  let state = start;
  let effects: string[] = [];
  for (const event of events) {
    const step = next(state, event);
    state = step[0];
    effects = step[1].map((effect) => JSON.stringify(Object.values(effect)).slice(1, -1).replaceAll('"', ''));
  }
  return [state.phase, effects];
}

describe('a lease that is requested', () => {
  test.each<[name: string, start: Sharing, events: SharingEvent[], phase: Sharing['phase'], effects: string[]]>([
    ['is granted: this replica leads', acquiring(false), [ours], 'leading', ['lead', 'watch']],
    ['is held by another one: it is followed', acquiring(false), [theirs], 'relaying', ['relay,theirs,5', 'watch']],
    ['is held by another one, of a refresh: both lead', acquiring(true), [theirs], 'alone', ['lead']],
    [
      'fails: this replica leads alone',
      acquiring(false),
      [{ is: 'acquire_failed' }],
      'alone',
      ['release,abandoned,0', 'lead'],
    ],
    [
      'meets an invalidation: no one follows',
      acquiring(false),
      [{ is: 'tainted' }, ours],
      'alone',
      ['release,abandoned,0', 'lead'],
    ],
    ['meets an invalidation: no one is followed', acquiring(false), [{ is: 'tainted' }, theirs], 'alone', ['lead']],
    ['ends before it is granted', acquiring(false), [kept, ours], 'alone', ['release,abandoned,0', 'lead']],
  ])('%s', (_name, start, events, phase, effects) => {
    expect(after(start, ...events)).toEqual([phase, effects]);
  });
});

describe('a lease that this replica holds', () => {
  test.each<[name: string, events: SharingEvent[], phase: Sharing['phase'], effects: string[]]>([
    ['publishes what is said', [appended], 'leading', ['send,0,1']],
    ['waits while a batch is in flight', [appended, appended], 'leading', []],
    ['publishes what grew meanwhile as one batch', [appended, appended, appended, sent], 'leading', ['send,1,3']],
    ['is lost: it continues alone', [appended, { is: 'sent', isHeld: false }], 'alone', ['unwatch']],
    ['cannot be used: it is released', [appended, { is: 'send_failed' }], 'alone', ['unwatch', 'release,abandoned,0']],
    ['ends after its last batch', [appended, kept, sent], 'alone', ['unwatch', 'release,finished,2000']],
    ['does not end before its last batch', [appended, kept], 'leading', []],
    ['ends without a batch', [kept], 'alone', ['unwatch', 'release,finished,2000']],
    ['is renewed by a heartbeat', [heartbeat], 'leading', ['renew']],
    ['is renewed once at a time', [heartbeat, heartbeat], 'leading', []],
    ['is renewed again after an answer', [heartbeat, renewed('held'), heartbeat], 'leading', ['renew']],
    ['is renewed again after a failure', [heartbeat, { is: 'renew_failed' }, heartbeat], 'leading', ['renew']],
    ['is checked when its channel has news', [news], 'leading', ['renew']],
    ['is not checked then while it is filled here', [{ is: 'taken' }, news], 'leading', []],
    [
      'is filled elsewhere: it is followed',
      [heartbeat, renewed('moved')],
      'relaying',
      ['unwatch', 'relay,ours,1', 'watch'],
    ],
    ['is filled here and elsewhere', [{ is: 'taken' }, heartbeat, renewed('moved')], 'alone', ['unwatch']],
    ['expired without a successor', [heartbeat, renewed('gone')], 'leading', ['acquire_again']],
    ['is granted again', [heartbeat, renewed('gone'), { is: 'reacquired', isOurs: true }], 'leading', []],
    ['is not granted again', [heartbeat, renewed('gone'), { is: 'reacquired', isOurs: false }], 'alone', ['unwatch']],
    ['has a successor', [heartbeat, renewed('lost')], 'alone', ['unwatch']],
    ['was used by another caller', [{ is: 'taken' }, { is: 'take_refused' }], 'alone', ['unwatch']],
    ['meets an invalidation', [{ is: 'tainted' }], 'alone', ['unwatch', 'release,abandoned,0']],
  ])('%s', (_name, events, phase, effects) => {
    expect(after(acquiring(false), ours, ...events)).toEqual([phase, effects]);
  });

  test('of another replica is filled here from its first event on', () => {
    expect(after(filling(), appended)).toEqual(['leading', ['send,0,1']]);
  });
});

describe('a lease that another replica holds', () => {
  test.each<[name: string, events: SharingEvent[], phase: Sharing['phase'], effects: string[]]>([
    ['is read once its channel is watched', [{ is: 'watched' }], 'relaying', ['read,0']],
    ['is read once at a time', [news, news], 'relaying', []],
    ['is read again if there was news meanwhile', [news, news, readOf()], 'relaying', ['read,0']],
    ['is read on from its position', [news, readOf({ batchCount: 2, position: '7' })], 'relaying', ['read,7']],
    ['is polled if there is nothing new', [news, readOf()], 'relaying', ['poll']],
    ['finishes', [news, readOf({ end: 'finished' })], 'alone', ['unwatch', 'end,finished']],
    ['is gone without an end', [news, readOf({ isHeld: false })], 'alone', ['unwatch', 'end,abandoned']],
    ['is polled after a failed read', [news, { is: 'read_failed', nowMs: silentLinkMs }], 'relaying', ['poll']],
    [
      'is given up when the link is silent',
      [news, { is: 'read_failed', nowMs: silentLinkMs + 1 }],
      'alone',
      ['unwatch', 'end,abandoned'],
    ],
    ['cannot be read', [news, { is: 'unreadable' }], 'alone', ['unwatch', 'end,abandoned']],
    ['has no followers left', [{ is: 'unfollowed' }], 'alone', ['unwatch', 'end,abandoned']],
    ['is filled here', [{ is: 'taken' }], 'leading', ['unwatch']],
    ['is not left for an invalidation: its followers asked before', [{ is: 'tainted' }], 'relaying', []],
  ])('%s', (_name, events, phase, effects) => {
    expect(after(acquiring(false), theirs, ...events)).toEqual([phase, effects]);
  });
});

test('a flight that is not shared any more does nothing', () => {
  const events: SharingEvent[] = [appended, kept, heartbeat, news, readOf(), sent, ours, renewed('moved')];
  expect(after({ phase: 'alone' }, ...events)).toEqual(['alone', []]);
});

describe('over replicas, in any order of events', () => {
  const plan = fc.record({
    replicaCount: fc.integer({ min: 2, max: 4 }),
    choices: fc.infiniteStream(fc.nat({ max: 1_000_000 })),
  });

  test('one replica at a time leads a key, and every caller gets the whole text', () => {
    fc.assert(
      fc.property(plan, ({ replicaCount, choices }) => {
        const run = runReplicas({ replicaCount, choices, faults: false });
        expect(run.mostLeaders).toBe(1);
        expect(run.generationCount).toBe(1);
        expect(run.texts).toEqual(run.texts.map(() => run.answer));
      }),
      { numRuns: 300 },
    );
  });

  test('with crashed leaders, lost calls and abandoned answers, every caller that lives gets the whole text', () => {
    fc.assert(
      fc.property(plan, ({ replicaCount, choices }) => {
        const run = runReplicas({ replicaCount, choices, faults: true });
        expect(run.mostLeases).toBeLessThanOrEqual(1);
        expect(run.texts.length).toBeGreaterThan(0);
        expect(run.texts).toEqual(run.texts.map(() => run.answer));
      }),
      { numRuns: 300 },
    );
  });
});
