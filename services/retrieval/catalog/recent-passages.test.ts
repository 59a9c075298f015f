import { expect, test } from 'vitest';
import { createRecentPassages, type RecentPassage } from './recent-passages.ts';

const passage = (key: number, documentId: string, corpusId = 1, text = 'Within 30 days.'): RecentPassage => ({
  record: {
    ...{ key, documentId, corpusId, text, chunkId: `${documentId}#${key}`, ordinal: 0, language: 1 },
    ...{ startOffset: 0, endOffset: text.length, headingPath: [], title: '', url: '' },
  },
  access: { aclId: 1, addedIn: 1, removedIn: 2 },
  stamp: undefined,
});
const keysOf = (recent: ReturnType<typeof createRecentPassages>, tenant: string) =>
  [1, 2, 3, 4].filter((key) => recent.get(tenant, key) !== undefined);

/** A cache of four passages of tenant "acme": two of document "a", one of "b", one of "a" in another corpus; and one of "north". */
function filled(maxBytes = 1_000_000) {
  const recent = createRecentPassages(maxBytes);
  for (const record of [passage(1, 'a'), passage(2, 'a'), passage(3, 'b'), passage(4, 'a', 2)]) {
    recent.keep('acme', record);
  }
  recent.keep('north', passage(1, 'a'));
  return recent;
}

test('the passages of purged documents go, and no others', () => {
  const recent = filled();
  recent.forget('acme', 1, ['a', 'absent']);
  expect(keysOf(recent, 'acme')).toEqual([3, 4]);
  expect(keysOf(recent, 'north')).toEqual([1]);
  recent.keep('acme', passage(1, 'a'));
  expect(keysOf(recent, 'acme')).toEqual([1, 3, 4]);
});

test('all passages of a tenant go, and none of another', () => {
  const recent = filled();
  recent.forgetAll('acme');
  expect(keysOf(recent, 'acme')).toEqual([]);
  expect(keysOf(recent, 'north')).toEqual([1]);
});

test('a passage that was kept twice goes too', () => {
  const recent = filled();
  recent.keep('acme', passage(1, 'a'));
  recent.forget('acme', 1, ['a']);
  expect(keysOf(recent, 'acme')).toEqual([3, 4]);
});

test('the least recently used passages go when memory is full, and a purge still finds the others', () => {
  // Room for three.
  const recent = filled(3_300);
  expect(keysOf(recent, 'acme')).toEqual([3, 4]);
  recent.forget('acme', 1, ['a', 'b']);
  expect(keysOf(recent, 'acme')).toEqual([4]);
  recent.keep('acme', passage(2, 'a', 1, 'a'.repeat(4_000)));
  expect(keysOf(recent, 'acme')).toEqual([4]);
});
