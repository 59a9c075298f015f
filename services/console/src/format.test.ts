import { expect, test } from 'vitest';
import { formatCost, formatDay, formatMs, formatWhen } from './format.ts';

test('times are short', () => {
  expect([0.01, 0.32, 3.21, 18.4, 999.7, 1240, 12_400, 600_000].map(formatMs)).toEqual([
    '<0.1 ms',
    '0.3 ms',
    '3.2 ms',
    '18 ms',
    '1.00 s',
    '1.24 s',
    '12.4 s',
    '10 min',
  ]);
});

test('small amounts of money keep their digits', () => {
  expect(formatCost(2140n, 'USD', 'en')).toBe('$0.00214');
  expect(formatCost(1_500_000n, 'CNY', 'zh-CN')).toBe('¥1.50');
});

test('today is shown as a time, an earlier day as a date', () => {
  const now = new Date(2026, 10, 22, 15, 0);
  expect(formatWhen(new Date(2026, 10, 22, 8, 5), now, 'zh-CN')).toBe('8:05');
  expect(formatWhen(new Date(2026, 10, 2), now, 'en')).toBe('Nov 2');
  expect(formatWhen(new Date(2025, 10, 2), now, 'en')).toBe('Nov 2, 2025');
});

test('a day is written as people do, and another text stays', () => {
  expect(formatDay('2026-12-03', 'en')).toBe('Dec 3, 2026');
  expect(formatDay('2026-12-03', 'zh-CN')).toBe('2026年12月3日');
  expect([formatDay('soon', 'en'), formatDay('2026-13-77', 'en'), formatDay('', 'en')]).toEqual([
    'soon',
    '2026-13-77',
    '',
  ]);
});
