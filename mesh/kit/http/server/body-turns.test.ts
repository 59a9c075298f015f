import { expect, test } from 'vitest';
import { bodyTurn } from './body-turns.ts';

test('an owner with many bodies gets every second turn beside an owner with one', async () => {
  const order: string[] = [];
  const take = (lane: string) => bodyTurn(lane).then(() => order.push(lane));
  await Promise.all([...Array.from({ length: 6 }, () => take('many')), take('one')]);
  expect(order).toHaveLength(7);
  expect(order.indexOf('one')).toBeLessThanOrEqual(2);
});

test('one turn is given at a time', async () => {
  let running = 0;
  let most = 0;
  const work = async (lane: string) => {
    await bodyTurn(lane);
    most = Math.max(most, ++running);
    queueMicrotask(() => running--);
  };
  await Promise.all(Array.from({ length: 20 }, (_, index) => work(`lane ${index % 3}`)));
  expect(most).toBe(1);
});
