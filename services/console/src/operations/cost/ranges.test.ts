import { expect, test } from 'vitest';
import { daysOf, listDays } from './ranges.ts';

const now = new Date('2026-03-01T23:30:00Z');

test('ranges end with today, or with the month before, in UTC', () => {
  expect(daysOf('7', now)).toEqual({ fromDay: '2026-02-23', beforeDay: '2026-03-02' });
  expect(daysOf('month', now)).toEqual({ fromDay: '2026-03-01', beforeDay: '2026-03-02' });
  expect(daysOf('last', now)).toEqual({ fromDay: '2026-02-01', beforeDay: '2026-03-01' });
  expect(listDays(daysOf('last', now)).length).toBe(28);
  expect(listDays(daysOf('365', now)).length).toBe(365);
});
