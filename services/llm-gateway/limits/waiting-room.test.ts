import { expect, test } from 'vitest';
import { demandOf } from '../suites/limit-store.suite.ts';
import type { Decision } from './limit-store.ts';
import { createWaitingRoom } from './waiting-room.ts';

const full: Decision = { admitted: false, scopeIndex: 0, kind: 'maxConcurrent', retryAfterMs: 1000 };
const admitted: Decision = { admitted: true };
const forever = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A room over a store whose answers the test sends, one by one. */
function open() {
  const asked: { id: string; answer(decision: Decision): void }[] = [];
  const undone: string[] = [];
  const room = createWaitingRoom({
    reserve: (demand) => new Promise((resolve) => asked.push({ id: demand.id, answer: resolve })),
    undo: async (id) => void undone.push(id),
    isShared: false,
    random: Math.random,
    bounds: () => ({ queueSize: 10, queueWaitMs: 5000 }),
  });
  const enter = (id: string, signal = forever) => {
    const demand = demandOf(id, { maxConcurrent: 1 });
    return room.enter(() => demand, demand, signal);
  };
  const answer = async (id: string, decision: Decision) => {
    expect(asked.map((question) => question.id)).toEqual([id]);
    asked.shift()?.answer(decision);
    await turn();
  };
  return { room, enter, answer, asked, undone };
}

test('a slot that becomes free during a call of the store is not missed', async () => {
  const { room, enter, answer } = open();
  const entered = enter('a');
  room.slotFreed('acme');
  await answer('a', full);
  await answer('a', admitted);
  expect(await entered).toMatchObject({ kind: 'admitted' });
  expect(room.size).toBe(0);
});

test('a request that arrives during a pass is tried as well', async () => {
  const { room, enter, answer } = open();
  const first = enter('a');
  await answer('a', full);
  room.slotFreed('acme');
  room.slotFreed('acme');
  const second = enter('b');
  await answer('a', admitted);
  await answer('b', admitted);
  expect(await first).toMatchObject({ demand: { id: 'a' } });
  expect(await second).toMatchObject({ demand: { id: 'b' } });
});

test('no request overtakes those that wait for the same slot', async () => {
  const { room, enter, answer, asked } = open();
  const first = enter('a');
  await answer('a', full);
  const second = enter('b');
  await turn();
  expect(asked).toEqual([]);
  room.slotFreed('acme');
  await answer('a', admitted);
  await first;
  await answer('b', full);
  room.slotFreed('acme');
  await answer('b', admitted);
  await second;
});

test('a request that was refused because of one that has left gets its slot', async () => {
  const { room, enter, answer, asked, undone } = open();
  const leaver = new AbortController();
  const first = enter('a', leaver.signal).catch((error: unknown) => error);
  await answer('a', full);
  room.slotFreed('acme');
  leaver.abort('gone');
  await first;
  const second = enter('b');
  const [ofFirst, ofSecond] = asked.splice(0);
  ofFirst?.answer(admitted);
  await turn();
  expect(undone).toEqual(['a']);
  // The store counted the slot of the first request when it was asked for the second one.
  ofSecond?.answer(full);
  await turn();
  await answer('b', admitted);
  expect(await second).toMatchObject({ kind: 'admitted' });
});

test('who leaves while the store is asked leaves nothing there, at the door as in the queue', async () => {
  const { room, enter, answer, undone } = open();
  const [atDoor, inQueue] = [new AbortController(), new AbortController()];
  const first = enter('a', atDoor.signal).catch((error: unknown) => error);
  atDoor.abort('gone');
  await answer('a', admitted);
  expect(await first).toBe('gone');
  const second = enter('b', inQueue.signal).catch((error: unknown) => error);
  await answer('b', full);
  const third = enter('c');
  room.slotFreed('acme');
  inQueue.abort('gone');
  expect(await second).toBe('gone');
  await answer('b', admitted);
  await answer('c', admitted);
  expect(await third).toMatchObject({ kind: 'admitted' });
  expect([undone, room.size]).toEqual([['a', 'b'], 0]);
});
