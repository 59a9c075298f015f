import { expect, test } from 'vitest';
import { ownTurn, spareTurn } from './own-turn.ts';

test('waiters continue in their order, each in a turn of its own', async () => {
  const turns: number[] = [];
  let turn = 0;
  let isOver = false;
  const count = () => {
    turn++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const order: string[] = [];
  await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (name) => {
      await ownTurn();
      order.push(name);
      // What follows immediately is of the same turn.
      await Promise.resolve();
      turns.push(turn);
    }),
  );
  isOver = true;
  expect(order).toEqual(['a', 'b', 'c', 'd']);
  expect(new Set(turns).size).toBe(4);
});

test('a further step of work that was begun comes before work that was not', async () => {
  const order: string[] = [];
  const work = async (name: string) => {
    await ownTurn();
    order.push(`${name} begins`);
    await ownTurn('next');
    order.push(`${name} ends`);
  };
  await Promise.all(['a', 'b', 'c'].map(work));
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('a spare turn comes after all others, one by one, but not later than it may', async () => {
  const never = new AbortController().signal;
  const order: string[] = [];
  let isOver = false;
  const busy = async () => {
    while (!isOver) await ownTurn();
  };
  const working = busy();
  const names = ['first', 'second'];
  const patient = names.map((name) => spareTurn(60_000, never).then(() => order.push(name)));
  await spareTurn(20, never).then(() => order.push('at its bound'));
  await spareTurn(60_000, AbortSignal.abort());
  const leaving = new AbortController();
  const left = spareTurn(60_000, leaving.signal).then(() => order.push('left'));
  leaving.abort();
  await left;
  expect(order).toEqual(['at its bound', 'left']);
  isOver = true;
  await Promise.all([working, ...patient]);
  expect(order).toEqual(['at its bound', 'left', 'first', 'second']);
});
