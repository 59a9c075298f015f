import { expect, test } from 'vitest';
import { splitNames } from './split-names.ts';

test('names are separated by blanks, lines and commas of both languages, and count once', () => {
  expect(splitNames(' staff, merchant\nstaff，客服、财务 ')).toEqual(['staff', 'merchant', '客服', '财务']);
  expect(splitNames('  ')).toEqual([]);
});
