import { describe, expect, test } from 'vitest';
import type { Database, Migrations } from '../database.ts';
import { createInsert } from '../insert-rows.ts';

/** Tables of the suite. */
export interface NoteSchema {
  note: { id: number; text: string };
}

/** Schema changes of the suite. */
export const noteMigrations = {
  sqlite: ['CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT'],
  postgres: ['CREATE TABLE note (id bigint PRIMARY KEY, text text NOT NULL)'],
} satisfies Migrations;

/** Checks what every engine of records does. `open` opens the same tables each time, within a test. */
export function databaseSuite(engine: string, open: (migrations: Migrations) => Promise<Database<NoteSchema>>): void {
  describe(`records in ${engine}`, () => {
    const openNotes = () => open(noteMigrations);

    test('a transaction is all or nothing, and others do not see half of it', async () => {
      const db = await openNotes();
      const failing = db.transaction().execute(async (tx) => {
        await tx.insertInto('note').values({ id: 1, text: 'lost' }).execute();
        throw new Error('no');
      });
      const other = db.insertInto('note').values({ id: 2, text: 'kept' }).execute();
      await expect(failing).rejects.toThrow('no');
      await other;
      expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 2, text: 'kept' }]);
      await db.destroy();
    });

    test('migrations run once, in order; a database from the future is refused', async () => {
      await (await openNotes()).destroy();
      const steps = [`ALTER TABLE note ADD COLUMN lang TEXT;\nINSERT INTO note (id, text) VALUES (7, 'x')`];
      const more = {
        sqlite: [...noteMigrations.sqlite, ...steps],
        postgres: [...noteMigrations.postgres, ...steps],
      };
      for (let time = 0; time < 2; time++) {
        const db = await open(more);
        expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 7, text: 'x', lang: null }]);
        await db.destroy();
      }
      await expect(openNotes()).rejects.toThrow(/newer than this program/);
    });

    test('a migration that fails changes nothing', async () => {
      await (await openNotes()).destroy();
      const bad = ['ALTER TABLE note ADD COLUMN lang TEXT;\nINSERT INTO nothing VALUES (1)'];
      const steps = { sqlite: [...noteMigrations.sqlite, ...bad], postgres: [...noteMigrations.postgres, ...bad] };
      await expect(open(steps)).rejects.toThrow('nothing');
      const db = await openNotes();
      await db.insertInto('note').values({ id: 1, text: 'a' }).execute();
      expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 1, text: 'a' }]);
      await db.destroy();
    });

    test('an insert without a result that fails fails its transaction, and leaves nothing behind', async () => {
      const db = await openNotes();
      const insert = createInsert((on: Database<NoteSchema>, row: NoteSchema['note']) =>
        on.insertInto('note').values(row),
      );
      await insert(db, [{ id: 1, text: 'there' }]);
      const doubled = [
        { id: 2, text: 'new' },
        { id: 1, text: 'again' },
      ];
      await expect(db.transaction().execute((tx) => insert(tx, doubled))).rejects.toThrow(/unique/i);
      const readsAfter = db.transaction().execute(async (tx) => {
        await insert(tx, doubled);
        return tx.selectFrom('note').selectAll().execute();
      });
      await expect(readsAfter).rejects.toThrow(/unique/i);
      const read = await db.transaction().execute(async (tx) => {
        await insert(tx, [{ id: 3, text: 'three' }]);
        await insert(tx, [{ id: 4, text: 'four' }]);
        return tx.selectFrom('note').select('id').orderBy('id').execute();
      });
      expect(read).toEqual([{ id: 1 }, { id: 3 }, { id: 4 }]);
      for (let id = 10; id < 40; id++) await db.transaction().execute((tx) => insert(tx, [{ id, text: `${id}` }]));
      await db.transaction().execute(async (tx) => {
        for (let id = 40; id < 80; id++) await insert(tx, [{ id, text: `${id}` }]);
      });
      expect(await db.selectFrom('note').select('id').orderBy('id').execute()).toHaveLength(73);
      await db.destroy();
    });

    test('rows of one shape are inserted in their order, whatever their number, and each gives what it returns', async () => {
      const db = await openNotes();
      const insert = createInsert((on: Database<NoteSchema>, row: NoteSchema['note']) =>
        on
          .insertInto('note')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .returning('id'),
      );
      expect(await insert(db, [])).toEqual([]);
      expect(await insert(db, [{ id: 1, text: 'one' }])).toEqual([{ id: 1 }]);
      // More rows than PostgreSQL takes parameters for in one statement.
      const rows = Array.from({ length: 40_000 }, (_, id) => {
        return id % 2 === 0 ? { id, text: `${id}` } : { text: `${id}`, id };
      });
      const inserted = await db.transaction().execute((tx) => insert(tx, rows));
      expect(inserted).toEqual(rows.filter(({ id }) => id !== 1).map(({ id }) => ({ id })));
      const kept = await db.selectFrom('note').selectAll().orderBy('id').execute();
      expect(kept).toEqual(rows.map(({ id }) => ({ id, text: id === 1 ? 'one' : `${id}` })));
      await db.destroy();
    });

    test('if one of the rows is refused, none of a transaction is kept', async () => {
      const db = await openNotes();
      const insert = createInsert((on: Database<NoteSchema>, row: NoteSchema['note']) =>
        on.insertInto('note').values(row),
      );
      const rows = [1, 2, 1].map((id) => ({ id, text: 'x' }));
      await expect(db.transaction().execute((tx) => insert(tx, rows))).rejects.toThrow(/unique/i);
      expect(await db.selectFrom('note').selectAll().execute()).toEqual([]);
      await db.destroy();
    });

    test('numbers up to 2^53, sums and counts come back as numbers', async () => {
      const db = await openNotes();
      const most = Number.MAX_SAFE_INTEGER;
      await db.insertInto('note').values({ id: most, text: '' }).execute();
      const row = await db
        .selectFrom('note')
        .select(({ fn }) => ['id', fn.sum<number>('id').as('sum'), fn.countAll<number>().as('count')])
        .groupBy('id')
        .executeTakeFirst();
      expect(row).toEqual({ id: most, sum: most, count: 1 });
      await db.destroy();
    });
  });
}
