import { timestampDate } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { filterRequest, noFilter } from './audit-filter.ts';

test('a filter from a day until a day has both days, in the time zone of its user', () => {
  const { from, before, user } = filterRequest({ ...noFilter, user: 'ann', from: '2026-02-28', until: '2026-02-28' });
  expect(user).toBe('ann');
  expect(from && timestampDate(from)).toEqual(new Date(2026, 1, 28));
  expect(before && timestampDate(before)).toEqual(new Date(2026, 2, 1));
});

test('a day that is not complete is no condition', () => {
  expect(filterRequest({ ...noFilter, from: '2026-1', until: '' })).toEqual({
    user: '',
    documentId: '',
    answerId: '',
    onlyChanges: false,
  });
});
