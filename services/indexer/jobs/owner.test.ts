import { expect, test } from 'vitest';
import { createOwner } from './owner.ts';

const alive =
  (...pids: number[]) =>
  (pid: number) =>
    pids.includes(pid);

test('an owner is gone when its process is, or when this process has taken its place', () => {
  const before = createOwner('host', 7, 'a');
  expect(createOwner('host', 8, 'b', alive(8)).isGone(before.name)).toBe(true);
  expect(createOwner('host', 7, 'b', alive(7)).isGone(before.name)).toBe(true);
  expect(createOwner('host', 8, 'b', alive(7, 8)).isGone(before.name)).toBe(false);
});

test('an owner on another machine is never known to be gone, nor is this one, nor a name that nobody gave', () => {
  const own = createOwner('host', 8, 'b', alive());
  expect(own.isGone(createOwner('far', 7, 'a').name)).toBe(false);
  expect(own.isGone(own.name)).toBe(false);
  expect(own.isGone('')).toBe(false);
});

test('the process that runs this test is alive, and one that cannot be is not', () => {
  const own = createOwner('host', 1_000_000_001, 'b');
  expect(own.isGone(`${process.pid}:x@host`)).toBe(false);
  expect(own.isGone('1000000002:x@host')).toBe(true);
});
