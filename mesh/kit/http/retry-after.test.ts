import { expect, test } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

const now = Date.parse('2026-11-22T10:00:00Z');
const wait = (headers: Record<string, string>) =>
  retryAfterMs(
    (name) => headers[name],
    () => now,
  );

test.each([
  ['seconds', { 'retry-after': '7' }, 7000],
  ['a fraction of a second', { 'retry-after': '0.5' }, 500],
  ['milliseconds', { 'retry-after-ms': '340' }, 340],
  ["milliseconds in Azure's other header", { 'x-ms-retry-after-ms': '1200' }, 1200],
  ['milliseconds before seconds', { 'retry-after-ms': '340', 'retry-after': '1' }, 340],
  ['a date', { 'retry-after': 'Sun, 22 Nov 2026 10:00:30 GMT' }, 30_000],
  [
    'a date by the clock of the server',
    { 'retry-after': 'Sun, 22 Nov 2026 12:00:05 GMT', date: 'Sun, 22 Nov 2026 12:00:00 GMT' },
    5000,
  ],
  ['a date in the past', { 'retry-after': 'Sun, 22 Nov 2026 09:00:00 GMT' }, 0],
  ['zero', { 'retry-after': '0' }, 0],
  ['longer than a day', { 'retry-after': '9999999' }, 86_400_000],
  ['nothing', {}, undefined],
  ['less than nothing', { 'retry-after': '-1' }, undefined],
  ['nonsense', { 'retry-after': 'soon' }, undefined],
  ['a number as no server writes it', { 'retry-after': '1e9' }, undefined],
  ['an empty header', { 'retry-after': '' }, undefined],
  [
    'a limit that has nothing left, as OpenAI says it',
    { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s', 'x-ratelimit-remaining-requests': '9' },
    360_000,
  ],
  [
    'a limit with something left',
    { 'x-ratelimit-remaining-tokens': '9', 'x-ratelimit-reset-tokens': '6m0s' },
    undefined,
  ],
  ["Azure's reset of -1", { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '-1' }, undefined],
  ["Azure's reset of 0", { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '0' }, undefined],
  [
    'two limits that have nothing left: the later one',
    {
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '1.5s',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '120ms',
    },
    1500,
  ],
  [
    'a limit that has nothing left, as Anthropic says it',
    {
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': '2026-11-22T10:00:12Z',
    },
    12_000,
  ],
])('the wait that a server asks for: %s', (_, headers, ms) => {
  expect(wait(headers as Record<string, string>)).toBe(ms);
});
