import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { edge } from '../index.ts';
import { type EdgeState, openEdgeState } from './edge-state.ts';
import { joinEnds, joinMs } from './join-ends.ts';

let counters: Awaited<ReturnType<typeof openEdgeState>>;
let endCount: number;
let worker: EdgeState;
let other: EdgeState;
beforeEach(async () => {
  vi.useFakeTimers();
  const config = edge.config(create(ConfigSchema));
  counters = await openEdgeState({ config, clock: Date.now, log: createLogger('silent') });
  const { port } = counters.connect();
  endCount = 0;
  worker = joinEnds({
    ...port,
    end(users) {
      endCount++;
      return port.end(users);
    },
  });
  other = counters.connect().port;
});
afterEach(async () => {
  vi.useRealTimers();
  await counters.close();
});

test('a worker may begin a call as soon as one of its own has ended', async () => {
  expect(await worker.begin('a', 1)).toBe(true);
  expect(await worker.begin('a', 1)).toBe(false);
  await worker.end(['a']);
  expect(await worker.begin('a', 1)).toBe(true);
});

test('ends are reported together with the next question, in one report', async () => {
  for (const user of ['a', 'b', 'c']) await worker.begin(user, 1);
  for (const user of ['a', 'b', 'c']) await worker.end([user]);
  expect(endCount).toBe(0);
  await worker.take([{ key: 'tenant', perSecond: 10, burst: 10 }]);
  expect(endCount).toBe(1);
  for (const user of ['a', 'b', 'c']) expect(await other.begin(user, 1)).toBe(true);
});

test('without a question, the other workers know an end after a few milliseconds', async () => {
  await worker.begin('a', 1);
  await worker.end(['a']);
  expect(await other.begin('a', 1)).toBe(false);
  await vi.advanceTimersByTimeAsync(joinMs);
  expect(await other.begin('a', 1)).toBe(true);
  expect(endCount).toBe(1);
});
