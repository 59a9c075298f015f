import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ProviderError } from '../providers/error.ts';
import {
  type AttemptEvent,
  type AttemptState,
  type FinishedAttempt,
  initialAttempt,
  isBroken,
  next,
} from './attempt-state.ts';

const fault = (kind: ProviderError['kind'], code = '') =>
  new ProviderError({ remedy: 'retry', kind, code, message: `it is ${kind}` });
const started: AttemptEvent = { kind: 'started' };
const content: AttemptEvent = { kind: 'content' };
const closed: AttemptEvent = { kind: 'closed' };
const cancelled: AttemptEvent = { kind: 'cancelled', reason: 'the caller left' };
const end = (outcome: Outcome): AttemptEvent => ({ kind: 'end', outcome, reason: 'stop' });
const failed = (kind: ProviderError['kind'], code = ''): AttemptEvent => ({ kind: 'failed', error: fault(kind, code) });

function run(events: readonly AttemptEvent[], { isGenerative = true, isProbe = false } = {}): AttemptState {
  return events.reduce((state, event) => next(state, event), initialAttempt(isGenerative, isProbe) as AttemptState);
}

describe('an attempt ends', () => {
  test.each<[string, AttemptEvent[], Partial<FinishedAttempt>]>([
    [
      'complete after its terminal event',
      [started, content, end(Outcome.COMPLETE), closed],
      { outcome: Outcome.COMPLETE, isWhole: true, isCharged: true, breakerReport: 'succeed' },
    ],
    [
      'truncated without a terminal event',
      [started, content, closed],
      { outcome: Outcome.TRUNCATED, isWhole: false, isCharged: true, breakerReport: 'fail' },
    ],
    [
      'truncated and charged if content arrives without a head',
      [content, closed],
      { outcome: Outcome.TRUNCATED, hasContent: true, isCharged: true },
    ],
    [
      'with an error and no charge if the provider refuses it',
      [failed('overloaded')],
      { outcome: Outcome.UPSTREAM_ERROR, isCharged: false, breakerReport: 'fail', reason: 'it is overloaded' },
    ],
    [
      'charged if it times out before the head',
      [failed('timeout', 'headers_timeout')],
      { isCharged: true, breakerReport: 'fail' },
    ],
    [
      'without a charge if the connection times out',
      [failed('timeout', 'connect_timeout')],
      { isCharged: false, breakerReport: 'fail' },
    ],
    ['without a report to the breaker if the request is invalid', [failed('invalid')], { breakerReport: 'ignore' }],
    ['without a report to the breaker at a rate limit', [failed('rate-limited')], { breakerReport: 'ignore' }],
    [
      'without a report to the breaker, but charged, if it is cancelled',
      [cancelled],
      { outcome: Outcome.CANCELLED, isCharged: true, breakerReport: 'ignore' },
    ],
    [
      'with its outcome if the stream fails after the terminal event',
      [started, content, end(Outcome.LENGTH), failed('broken')],
      { outcome: Outcome.LENGTH, error: undefined, isWhole: true, breakerReport: 'succeed' },
    ],
    [
      'without whole usage if the terminal event says that it is broken',
      [started, end(Outcome.UPSTREAM_ERROR), closed],
      { isWhole: false, breakerReport: 'fail' },
    ],
    [
      'in success for the breaker if a filter refuses it',
      [started, end(Outcome.FILTERED), closed],
      { outcome: Outcome.FILTERED, breakerReport: 'succeed' },
    ],
  ])('%s', (_, events, wanted) => {
    expect(run(events)).toMatchObject({ phase: 'finished', ...wanted });
  });
});

test('a probe that fails after its first content is a new failure of the target', () => {
  expect(run([started, content, failed('broken')], { isProbe: true })).toMatchObject({ breakerReport: 'fail-again' });
  expect(run([started, failed('broken')], { isProbe: true })).toMatchObject({ breakerReport: 'fail' });
});

test('a model that only quotes is never charged', () => {
  expect(run([started, content, closed], { isGenerative: false })).toMatchObject({ isCharged: false });
});

const events = fc.constantFrom(
  started,
  content,
  closed,
  cancelled,
  end(Outcome.COMPLETE),
  end(Outcome.TRUNCATED),
  failed('timeout'),
  failed('invalid'),
);

test('no order of events makes an attempt complete without its terminal event, or changes it after its end', () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 12 }), fc.boolean(), (given, isProbe) => {
      let state: AttemptState = initialAttempt(true, isProbe);
      let hasEnded = false;
      for (const event of given) {
        const before = state;
        state = next(state, event);
        if (before.phase === 'finished') expect(state).toBe(before);
        else if (event.kind === 'end') hasEnded = true;
      }
      if (state.phase === 'running') return;
      if (!isBroken(state) && state.outcome !== Outcome.CANCELLED) expect(hasEnded).toBe(true);
      if (state.hasStarted) expect(state.isCharged).toBe(true);
    }),
  );
});
