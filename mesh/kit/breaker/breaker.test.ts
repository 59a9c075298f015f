import { Code, type ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { invalidArgument, unavailable } from '../base/errors.ts';
import { createBreaker } from './breaker.ts';
import { type Circuit, nextCircuit, type Outcome } from './circuit.ts';

function start() {
  let now = 0;
  const states: number[] = [];
  const breaker = createBreaker(
    'store',
    (state) => states.push(state),
    () => now,
  );
  return {
    breaker,
    states,
    pass(ms: number) {
      now += ms;
    },
    replies(count: number, ms: number) {
      for (let index = 0; index < count; index++) {
        const call = breaker.watch();
        now += ms;
        call.heard();
      }
    },
    isOpen() {
      try {
        breaker.watch().ended(false);
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: Code.Unavailable });
        return true;
      }
    },
  };
}

describe('a dependency that hangs', () => {
  test('costs one wait once its usual time is known, whatever its caller allowed', () => {
    const { breaker, states, replies, pass, isOpen } = start();
    replies(20, 10);
    const call = breaker.watch();
    pass(250);
    call.ended(true);
    expect(states).toEqual([2]);
    expect(isOpen()).toBe(true);
  });

  test('is tried after one, two, four and eight seconds, by one call at a time, and is called again after its first reply', () => {
    const { breaker, states, replies, pass, isOpen } = start();
    replies(20, 10);
    const first = breaker.watch();
    pass(250);
    first.ended(true);
    for (const waitMs of [1000, 2000, 4000, 8000, 8000]) {
      pass(waitMs - 1);
      expect(isOpen()).toBe(true);
      pass(1);
      const probe = breaker.watch();
      expect(breaker.state).toBe(1);
      expect(isOpen()).toBe(true);
      pass(250);
      probe.ended(true);
      expect(breaker.state).toBe(2);
    }
    pass(8000);
    breaker.watch().heard();
    expect(breaker.state).toBe(0);
    expect(states.at(-1)).toBe(0);
    expect(isOpen()).toBe(false);
  });

  test('costs five waits if nothing is known of it, or if they are short', () => {
    const { breaker, pass } = start();
    for (let count = 0; count < 5; count++) {
      expect(breaker.state).toBe(0);
      const call = breaker.watch();
      pass(300);
      call.ended(true);
    }
    expect(breaker.state).toBe(2);
  });

  test('is found out by the time limit of the call itself, even if that is short', async () => {
    const { breaker } = start();
    const hang = () => breaker.run(() => new Promise(() => {}), { timeoutMs: 5 });
    for (let count = 0; count < 5; count++) await expect(hang()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(breaker.state).toBe(2);
    await expect(hang()).rejects.toThrow('circuit open, cooling down');
  });
});

describe('slow is not dead', () => {
  test('a wait of less than three times the usual opens nothing', () => {
    const { breaker, replies, pass } = start();
    replies(50, 400);
    for (let count = 0; count < 4; count++) {
      const call = breaker.watch();
      pass(1100);
      call.ended(true);
    }
    replies(1, 1500);
    expect(breaker.state).toBe(0);
  });

  test('a call that is late while others are answered says nothing', () => {
    const { breaker, replies, pass } = start();
    replies(20, 10);
    for (let count = 0; count < 50; count++) {
      const slow = breaker.watch();
      pass(1000);
      replies(1, 10);
      slow.ended(true);
    }
    expect(breaker.state).toBe(0);
  });

  test('a kind of call that takes long is not judged by another that does not', () => {
    const { breaker, pass, replies } = start();
    replies(30, 5);
    for (let count = 0; count < 25; count++) {
      const call = breaker.watch('generate');
      pass(2000);
      call.heard();
    }
    const call = breaker.watch('generate');
    pass(3000);
    call.ended(true);
    expect(breaker.state).toBe(0);
  });

  test('callers that leave never open it by one wait', () => {
    const { breaker, replies, pass } = start();
    replies(20, 10);
    const call = breaker.watch();
    pass(5000);
    call.ended(false);
    expect(breaker.state).toBe(0);
  });
});

test('five failures in a row open it; mistakes of callers are replies', async () => {
  const { breaker } = start();
  const run = (error: unknown) => breaker.run(() => Promise.reject(error), {}).catch(() => {});
  for (let round = 0; round < 3; round++) {
    for (let count = 0; count < 4; count++) await run(unavailable('store', 'away'));
    await run(invalidArgument('bad'));
  }
  expect(breaker.state).toBe(0);
  for (let count = 0; count < 5; count++) await run(new TypeError('fetch failed'));
  expect(breaker.state).toBe(2);
});

test('a probe whose caller leaves early is followed by the next one', () => {
  const { breaker, replies, pass } = start();
  replies(20, 10);
  const call = breaker.watch();
  pass(300);
  call.ended(true);
  pass(1000);
  breaker.watch().ended(false);
  expect(breaker.state).toBe(2);
  breaker.watch().heard();
  expect(breaker.state).toBe(0);
});

test('an open circuit says when to try again', () => {
  const { breaker, replies, pass } = start();
  replies(20, 10);
  const call = breaker.watch();
  pass(300);
  call.ended(true);
  pass(400);
  let thrown: unknown;
  try {
    breaker.watch();
  } catch (error) {
    thrown = error;
  }
  const [retry] = (thrown as ConnectError).findDetails(RetryInfoSchema);
  expect(Number(retry?.retryDelay?.seconds) * 1000 + (retry?.retryDelay?.nanos ?? 0) / 1e6).toBeCloseTo(600, 0);
});

test('whatever calls report, a circuit is never open for more than eight seconds, and one reply closes it', () => {
  const outcomes = fc.constantFrom<Outcome>('heard', 'failed', 'hung', 'unknown');
  fc.assert(
    fc.property(fc.array(fc.tuple(outcomes, fc.boolean(), fc.nat({ max: 20_000 })), { maxLength: 60 }), (events) => {
      let circuit: Circuit = { kind: 'closed', failureCount: 0 };
      let now = 0;
      for (const [outcome, isProbe, ms] of events) {
        now += ms;
        circuit = nextCircuit(circuit, outcome, isProbe, now);
        if (circuit.kind === 'open') expect(circuit.untilMs - now).toBeLessThanOrEqual(8000);
        else expect(circuit.failureCount).toBeLessThan(5);
        expect(nextCircuit(circuit, 'heard', false, now)).toEqual({ kind: 'closed', failureCount: 0 });
      }
    }),
  );
});

describe('a client that means harm', () => {
  test('opens nothing by leaving early, however often, if replies usually take longer or nothing is known of them', () => {
    for (const known of [0, 1, 30]) {
      const { breaker, pass, replies } = start();
      replies(known, 800);
      for (let count = 0; count < 100; count++) {
        const left = breaker.watch();
        pass(400);
        left.ended(false);
      }
      expect(breaker.state).toBe(0);
    }
  });

  test('opens nothing by deadlines that are shorter than replies usually take', () => {
    for (const known of [1, 30]) {
      const { breaker, pass, replies } = start();
      replies(known, 800);
      for (let count = 0; count < 100; count++) {
        const late = breaker.watch();
        pass(400);
        late.ended(true);
      }
      expect(breaker.state).toBe(0);
    }
  });

  test('does not keep a circuit open with probes that it leaves', () => {
    const { breaker, pass, replies } = start();
    replies(30, 800);
    const hung = breaker.watch();
    pass(3000);
    hung.ended(true);
    expect(breaker.state).toBe(2);
    pass(1000);
    for (let count = 0; count < 20; count++) {
      const probe = breaker.watch();
      pass(400);
      probe.ended(count % 2 === 0);
    }
    breaker.watch().heard();
    expect(breaker.state).toBe(0);
  });
});

test('a probe costs its caller three times the usual, and not its whole time limit', async () => {
  const { breaker, pass, replies } = start();
  replies(30, 500);
  expect(breaker.watch().probeMs).toBeUndefined();
  const hung = breaker.watch();
  pass(2000);
  hung.ended(true);
  pass(1000);
  const probe = breaker.watch();
  expect(probe.probeMs).toBe(1500);
  pass(1500);
  probe.ended(true);
  expect(breaker.state).toBe(2);
});
