import { expect, test } from 'vitest';
import { ownTurn } from './own-turn.ts';

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
