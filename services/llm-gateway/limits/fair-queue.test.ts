import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFairQueue } from './fair-queue.ts';

test('the longest line gives way when the queue is full, and a line never gains by it', () => {
  const queue = createFairQueue<string>(() => 4);
  for (const value of ['a1', 'a2', 'a3', 'a4']) expect(queue.add('a', value)).toBeUndefined();
  expect(queue.add('a', 'a5')).toBe('a5');
  expect(queue.add('b', 'b1')).toBe('a4');
  expect(queue.add('b', 'b2')).toBe('a3');
  expect(queue.add('b', 'b3')).toBe('b3');
  expect(queue.add('c', 'c1')).toBe('a2');
  expect(queue.add('d', 'd1')).toBe('b2');
  expect([queue.line('a'), queue.line('b'), queue.line('c'), queue.line('d')]).toEqual([
    ['a1'],
    ['b1'],
    ['c1'],
    ['d1'],
  ]);
  expect(queue.add('e', 'e1')).toBe('e1');
  expect(queue.size).toBe(4);
});

test('tenants take turns to be first', () => {
  const queue = createFairQueue<string>(() => 10);
  for (const tenant of ['a', 'b', 'c']) queue.add(tenant, tenant);
  expect(queue.turns()).toEqual(['a', 'b', 'c']);
  expect(queue.turns()).toEqual(['b', 'c', 'a']);
  queue.remove('c', 'c');
  expect(queue.turns()).toEqual(['a', 'b']);
  expect(createFairQueue(() => 1).turns()).toEqual([]);
});

test('never holds more than it may, keeps the order of each line, and loses nothing in silence', () => {
  const step = fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (steps, capacity) => {
      const queue = createFairQueue<number>(() => capacity);
      const there = new Set<number>();
      for (const [index, { tenant, isRemoval }] of steps.entries()) {
        const first = queue.line(tenant)[0];
        if (isRemoval && first !== undefined) {
          queue.remove(tenant, first);
          queue.remove(tenant, first);
          there.delete(first);
        } else if (!isRemoval) {
          there.add(index);
          const gone = queue.add(tenant, index);
          if (gone !== undefined) there.delete(gone);
        }
        const lines = ['a', 'b', 'c'].map((name) => queue.line(name));
        for (const line of lines) expect(line).toEqual([...line].sort((a, b) => a - b));
        expect(new Set(lines.flat())).toEqual(there);
        expect(queue.size).toBe(there.size);
        expect(queue.size).toBeLessThanOrEqual(capacity);
      }
    }),
  );
});
