import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Database, Migrations } from '#kit/storage/database.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';

interface Schema {
  blobs: {
    name: string;
    /** Whether its write has ended. */
    is_whole: number;
    written_at: number;
  };
  blob_parts: {
    name: string;
    /** Position; each part but the last has `partBytes`. */
    ordinal: number;
    bytes: Uint8Array;
  };
}

const migrations: Migrations = {
  sqlite: [
    `CREATE TABLE blobs (name TEXT PRIMARY KEY, is_whole INTEGER NOT NULL, written_at INTEGER NOT NULL) STRICT;
    CREATE TABLE blob_parts (name TEXT NOT NULL, ordinal INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (name, ordinal)) STRICT`,
  ],
  // The bytes are mostly compressed already, or read once.
  postgres: [
    `CREATE TABLE blobs (name text COLLATE "C" PRIMARY KEY, is_whole bigint NOT NULL, written_at bigint NOT NULL);
    CREATE TABLE blob_parts (name text COLLATE "C" NOT NULL, ordinal bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (name, ordinal));
    ALTER TABLE blob_parts ALTER COLUMN bytes SET STORAGE EXTERNAL`,
  ],
};

const partBytes = 1 << 20;
const namesMax = 1000;

function createStore(db: Database<Schema>, clock: () => number): BlobStore {
  const remove = async (name: string) => {
    await db.updateTable('blobs').set({ is_whole: 0 }).where('name', '=', name).execute();
    await db.deleteFrom('blob_parts').where('name', '=', name).execute();
    await db.deleteFrom('blobs').where('name', '=', name).execute();
  };
  return {
    async write(name, bytes, signal) {
      await db.insertInto('blobs').values({ name, is_whole: 0, written_at: clock() }).execute();
      try {
        let ordinal = 0;
        for await (const part of inParts(bytes)) {
          signal.throwIfAborted();
          await db.insertInto('blob_parts').values({ name, ordinal: ordinal++, bytes: part }).execute();
        }
        await db.updateTable('blobs').set({ is_whole: 1 }).where('name', '=', name).execute();
      } catch (error) {
        // What is left after an outage has no mark, and is removed later.
        await remove(name).catch(() => {});
        throw error;
      }
    },

    scrub: () => scrubDatabase(db),

    async read(name, offset, sizeBytes, signal) {
      signal.throwIfAborted();
      const first = Math.floor(offset / partBytes);
      const isWhole =
        (await db
          .selectFrom('blobs')
          .select('name')
          .where('name', '=', name)
          .where('is_whole', '=', 1)
          .executeTakeFirst()) !== undefined;
      if (!isWhole) return undefined;
      const rows = await db
        .selectFrom('blob_parts')
        .select('bytes')
        .where('name', '=', name)
        .where('ordinal', '>=', first)
        .where('ordinal', '<', Math.ceil((offset + sizeBytes) / partBytes))
        .orderBy('ordinal')
        .execute();
      const start = offset - first * partBytes;
      return Buffer.concat(rows.map((row) => row.bytes)).subarray(start, start + sizeBytes);
    },

    remove,

    async *list(signal) {
      let after = '';
      for (;;) {
        signal.throwIfAborted();
        const rows = await db
          .selectFrom('blobs')
          .select(['name', 'written_at'])
          .where('name', '>', after)
          .orderBy('name')
          .limit(namesMax)
          .execute();
        for (const row of rows) yield { name: row.name, writtenAtMs: row.written_at };
        const last = rows.at(-1);
        if (last === undefined || rows.length < namesMax) return;
        after = last.name;
      }
    },

    close: async () => {},
  };
}

/** Yields the same bytes in parts of one size; the last one is shorter. */
async function* inParts(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let open = Buffer.alloc(partBytes);
  let size = 0;
  for await (const part of bytes) {
    for (let at = 0; at < part.byteLength; ) {
      const count = Math.min(partBytes - size, part.byteLength - at);
      open.set(part.subarray(at, at + count), size);
      size += count;
      at += count;
      if (size < partBytes) continue;
      yield open;
      // A query may still hold the part before.
      open = Buffer.alloc(partBytes);
      size = 0;
    }
  }
  if (size > 0) yield open.subarray(0, size);
}

/** Keeps blobs in the database, in rows of 1 MiB: replicas on PostgreSQL need no other server. */
export const adapter = defineAdapter({
  settings: {},
  create: async (_settings: object, { openDatabase, clock }: BlobStoreDeps) =>
    createStore(await openDatabase<Schema>('blobs', migrations), clock),
});
