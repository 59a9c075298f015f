import { expect, test } from 'vitest';
import { createLabelLimit } from './label-limit.ts';

test('values of the list have their own label, and all others share one', () => {
  const label = createLabelLimit(1, ['acme', 'globex']);
  expect(['acme', 'globex', 'initech', 'acme'].map(label)).toEqual(['acme', 'globex', 'other', 'acme']);
});

test('without a list the first values have their own label, and keep it', () => {
  const label = createLabelLimit(2);
  expect(['a', 'b', 'c', 'a', 'b'].map(label)).toEqual(['a', 'b', 'other', 'a', 'b']);
});
