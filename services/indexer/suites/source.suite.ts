import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import type { Entry, Source } from '../sources/source.ts';

/** A source under test, and the place that it reads. */
export interface SourceCase {
  /** Opens the source; each call may be another process. */
  open(): Promise<Source>;
  /** Puts an entry into the place, or changes it. Returns its id. */
  put(name: string, text: string): Promise<string>;
  /** Removes what `put` has put. */
  remove(name: string): Promise<void>;
  /** Makes the place fail in the middle of a listing, until the returned function is called. */
  breakListing(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** The contract suite of sources. */
export function sourceSuite(name: string, create: () => Promise<SourceCase>): void {
  describe(`the ${name} source`, () => {
    let place: SourceCase;
    let source: Source;
    const ids: Record<string, string> = {};
    beforeAll(async () => {
      place = await create();
      for (const entry of ['a', 'b', 'c']) ids[entry] = await place.put(entry, `Text of ${entry}: 退货政策.`);
      source = await place.open();
    });
    afterAll(async () => {
      await source.close();
      await place.close();
    });
    const changesSince = async (cursor: string) => {
      const pages = await collect(source.changes(cursor, never));
      const entries = new Map(pages.flatMap((page) => page.entries.map((entry): [string, Entry] => [entry.id, entry])));
      return { entries, cursor: pages.findLast((page) => page.cursor !== undefined)?.cursor ?? '' };
    };
    const listed = async () => new Set((await collect(source.ids(never))).flat());
    const textOf = async (id: string, validator = '') => {
      const found = await source.fetch(id, validator, never);
      return found.kind === 'content' ? Buffer.from(found.content.bytes).toString() : found.kind;
    };

    test('lists every entry, by its changes and by its ids', async () => {
      const all = new Set(Object.values(ids));
      expect(new Set((await changesSince('')).entries.keys())).toEqual(all);
      expect(await listed()).toEqual(all);
      for (const id of all) expect(id.length).toBeLessThanOrEqual(1024);
    });

    test('reads what an entry holds', async () => {
      for (const [entry, id] of Object.entries(ids)) expect(await textOf(id)).toContain(`Text of ${entry}: 退货政策.`);
    });

    test('a changed entry and a new one are among the changes, with other versions', async () => {
      const before = await changesSince('');
      ids.b = await place.put('b', 'Another text of b, which is longer.');
      ids.d = await place.put('d', 'Text of d.');
      const after = await changesSince(before.cursor);
      expect([...after.entries.keys()]).toEqual(expect.arrayContaining([ids.b, ids.d]));
      const version = after.entries.get(ids.b)?.version ?? '';
      if (version !== '') expect(version).not.toBe(before.entries.get(ids.b)?.version);
      expect(await textOf(ids.b)).toContain('Another text of b');
      // A validator of the old content does not hide the new one.
      const old = await source.fetch(ids.d, '', never);
      const validator = old.kind === 'content' ? (old.content.validator ?? '') : '';
      ids.d = await place.put('d', 'A second text of d.');
      await changesSince('');
      expect(await textOf(ids.d, validator)).toContain('A second text of d.');
    });

    test('an entry that nothing changed keeps its version, or says that it is unchanged', async () => {
      const first = (await changesSince('')).entries.get(ids.a ?? '');
      const found = await source.fetch(ids.a ?? '', '', never);
      const second = (await changesSince('')).entries.get(ids.a ?? '');
      expect(second?.version).toBe(first?.version);
      if (first?.version !== '' || found.kind !== 'content' || found.content.validator === undefined) return;
      expect(await source.fetch(ids.a ?? '', found.content.validator, never)).toEqual({ kind: 'unchanged' });
    });

    test('a removed entry is in no listing, and is gone', async () => {
      await place.remove('c');
      expect(await listed()).not.toContain(ids.c);
      expect((await changesSince('')).entries.has(ids.c ?? '')).toBe(false);
      expect(await textOf(ids.c ?? '')).toBe('gone');
    });

    test('a listing that cannot be completed rejects', async () => {
      const repair = await place.breakListing();
      try {
        await expect(listed()).rejects.toThrow();
      } finally {
        await repair();
      }
      expect(await listed()).toContain(ids.a);
    });

    test('a listing ends when its signal aborts', async () => {
      const reason = new Error('left');
      await expect(collect(source.changes('', AbortSignal.abort(reason)))).rejects.toThrow();
    });
  });
}
