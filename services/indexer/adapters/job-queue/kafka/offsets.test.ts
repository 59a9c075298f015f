import { expect, test } from 'vitest';
import { createOffsets } from './offsets.ts';

test('an offset is committed when every message before it is finished', () => {
  const offsets = createOffsets();
  for (const offset of [5n, 6n, 9n]) offsets.begin(0, offset);
  offsets.begin(1, 5n);
  expect(offsets.end(0, 6n)).toBeUndefined();
  expect(offsets.end(1, 5n)).toBe(6n);
  expect(offsets.end(0, 5n)).toBe(7n);
  expect(offsets.end(0, 9n)).toBe(10n);
  expect(offsets.end(0, 9n)).toBeUndefined();
});
