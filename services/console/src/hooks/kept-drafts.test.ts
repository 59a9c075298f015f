import { expect, test } from 'vitest';
import { type DraftStorage, forgetDraft, forgetDrafts, keepDraft, readDraft } from './kept-drafts.ts';

/** A storage in memory, for at most this many characters. */
function createStorage(room = 1000): DraftStorage & { values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    get length() {
      return values.size;
    },
    key: (at) => [...values.keys()][at] ?? null,
    getItem: (name) => values.get(name) ?? null,
    setItem(name, value) {
      if (value.length > room) throw new DOMException('full', 'QuotaExceededError');
      values.set(name, value);
    },
    removeItem: (name) => void values.delete(name),
  };
}

test('a draft is kept by its name until it is published', () => {
  const storage = createStorage();
  keepDraft(storage, 'topic a', { text: 'Telescopes are 望远镜.' });
  expect(readDraft(storage, 'topic a')).toEqual({ text: 'Telescopes are 望远镜.' });
  expect(readDraft(storage, 'topic b')).toEqual({});
  forgetDraft(storage, 'topic a');
  expect(readDraft(storage, 'topic a')).toEqual({});
});

test('another user finds no draft, and the key of the tab stays', () => {
  const storage = createStorage();
  storage.setItem('ragmesh.key', 'k');
  for (const name of ['a', 'b', 'c']) keepDraft(storage, name, { text: name });
  forgetDrafts(storage);
  expect([...storage.values.keys()]).toEqual(['ragmesh.key']);
});

test('a draft that is larger than the storage is not kept in part', () => {
  const storage = createStorage(40);
  keepDraft(storage, 'a', { text: 'short' });
  keepDraft(storage, 'a', { text: 'long '.repeat(20) });
  expect(readDraft(storage, 'a')).toEqual({});
});
