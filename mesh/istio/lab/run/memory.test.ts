import { expect, test } from 'vitest';
import { bytesOf } from './memory.ts';

test('quantities of Kubernetes are bytes; other spellings are refused, because a limit that is wrong would prove nothing', () => {
  expect([bytesOf('512Ki'), bytesOf('512Mi'), bytesOf('2Gi')]).toEqual([524_288, 536_870_912, 2_147_483_648]);
  expect(() => bytesOf('512M')).toThrow('512M is not a number of Ki, Mi or Gi');
});
