import type { SqliteFile } from '#kit/storage/sqlite/file.ts';
import type { SnapshotSource } from '../build/source.ts';
import { type ChunkRow, toFloats, toIndexRow } from '../build/stored-rows.ts';
import { createRowTableBuilder, storedRemovedIn } from '../rows/row-table.ts';
import type { Segment } from '../segment.ts';
import { createVectorSegment } from '../vectors/vector-segment.ts';
import { wordSegmentOf } from '../words/word-segment.ts';

/** Rows of an image whose changes were applied. */
export interface CaughtUp {
  /** A segment of the rows that the image does not have; `undefined`: none. */
  late: Segment | undefined;
  /** Rows that the image does not have, and rows of the image that are deleted. */
  changedCount: number;
}

/** So many rows may be missing in any image; of a larger one, as many as half of its rows. */
const maxLateRows = 1000;

/**
 * Gives the rows of an image the versions and access lists that they have in the database, which alone says which of them exist: a row that it does
 * not have is deleted. `rows`: of the corpus, in order of their keys. Throws if the image lacks too many of them, or if what they are
 * searched by is nowhere.
 */
export function catchUp(db: SqliteFile, source: SnapshotSource, segments: readonly Segment[], among: string): CaughtUp {
  const { corpusId } = source;
  const sql = `SELECT id, acl_id, added_in, removed_in FROM chunk WHERE corpus_id = ? AND ${among} ORDER BY id`;
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  const rowCount = segments.reduce((sum, { rows }) => sum + rows.keys.length, 0);
  const next = segments.map(() => 0);
  const lateIds: number[] = [];
  let foundCount = 0;
  for (const found of statement.iterate(corpusId)) {
    const [id, aclId, addedIn, removedIn] = found as unknown as [number, number, number, number];
    let isFound = false;
    for (let index = 0; index < segments.length && !isFound; index++) {
      const { rows } = segments[index] as Segment;
      let position = next[index] as number;
      while ((rows.keys[position] as number) < id) position++;
      next[index] = position;
      if (rows.keys[position] !== id) continue;
      isFound = true;
      rows.aclIds[position] = aclId;
      rows.addedIn[position] = addedIn;
      rows.removedIn[position] = storedRemovedIn(removedIn);
    }
    if (isFound) foundCount++;
    else if (lateIds.push(id) > Math.max(maxLateRows, rowCount / 2)) throw new Error('the image lacks too many rows');
  }
  return {
    late: lateIds.length === 0 ? undefined : readLate(db, source, lateIds),
    changedCount: lateIds.length + rowCount - foundCount,
  };
}

function readLate(db: SqliteFile, { corpusId, vectors }: SnapshotSource, ids: readonly number[]): Segment {
  const builder = createRowTableBuilder();
  const row = db.prepare(`SELECT id, acl_id, added_in, removed_in, language, updated_ms, document_id, chunk_id
    FROM chunk WHERE id = ?`);
  const attributes = db.prepare('SELECT name, value FROM attribute WHERE id = ?');
  for (const id of ids) {
    const found = row.get(id) as ChunkRow;
    const pairs = attributes.all(id).map(({ name, value }) => [name as string, value as string]);
    builder.add(toIndexRow(found, Object.fromEntries(pairs)), found.added_in, found.removed_in);
  }
  const rows = builder.share();
  if (vectors === undefined) {
    const find = db.prepare('SELECT tokens FROM late_words WHERE corpus_id = ? AND id = ?');
    const texts = ids.map((id) => {
      const found = find.get(corpusId, id);
      if (found === undefined) throw new Error('the words of a row are only in the index');
      return found.tokens as string;
    });
    return { rows, index: { kind: 'words', words: wordSegmentOf(texts) } };
  }
  const find = db.prepare(`SELECT embedding FROM ${vectors.table} WHERE rowid = ?`);
  // vec0 accepts no other integer.
  const found = ids.map((id) => toFloats(find.get(BigInt(id))?.embedding as Uint8Array));
  const held = createVectorSegment(ids.length, vectors.dimensions, found);
  return { rows, index: { kind: 'vectors', vectors: held, stored: undefined } };
}
