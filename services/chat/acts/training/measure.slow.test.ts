import { expect, test } from 'vitest';
import { measureRouter } from './measure.ts';

test('the router is no worse on unseen phrasings than its baseline', async () => {
  expect(await measureRouter(['--json'])).toBe(0);
});
