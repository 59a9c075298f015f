import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { linkTo, placeOf, sectionsOf } from './sections.ts';

test('a caller sees the sections of its roles', () => {
  expect(sectionsOf([Role.READER])).toEqual([]);
  expect(sectionsOf([Role.READER, Role.EDITOR])).toEqual(['documents', 'jobs']);
  expect(sectionsOf([Role.OPERATOR, Role.EDITOR])).toEqual([
    'inbox',
    'conversations',
    'lab',
    'documents',
    'jobs',
    'sources',
    'quality',
    'evaluation',
    'cost',
    'administration',
  ]);
  expect(sectionsOf([Role.AUDITOR])).toEqual(['cost', 'administration']);
});

test('a link leads to its place, whatever is in the names', () => {
  const names = fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 3 });
  fc.assert(
    fc.property(names, (parts) => {
      expect(placeOf(linkTo('documents', ...parts).slice(1))).toEqual({ section: 'documents', parts });
    }),
  );
});

test('other addresses are those of a conversation, and damaged ones lead to the section', () => {
  for (const other of ['/', '', 'session=s1', '/toString', '/unknown', 'documents'])
    expect(placeOf(other)).toBeUndefined();
  expect(placeOf('/quality/%E4%')).toEqual({ section: 'quality', parts: [] });
});
