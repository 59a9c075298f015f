import type { SqliteFile } from '#kit/storage/sqlite/file.ts';
import { openSqlite } from '#kit/storage/sqlite/open.ts';
import { loadImage } from '../images/load-image.ts';
import { positionOf } from '../rows/row-changes.ts';
import { createRowTableBuilder, type RowTable } from '../rows/row-table.ts';
import type { Segment } from '../segment.ts';
import { createVectorSegment, type VectorSegment, vectorRowBytes } from '../vectors/vector-segment.ts';
import { createWordSegmentBuilder, type WordSegment } from '../words/word-segment.ts';
import type { Loaded } from './protocol.ts';
import type { SnapshotSource } from './source.ts';
import { type ChunkRow, toFloats, toIndexRow } from './stored-rows.ts';

/** A database that is being read, as it was when it was opened. */
export interface Reading {
  /** Returns the rows of the corpus, from its image if there is one; `undefined` if they need more than `maxBytes`. */
  load(maxBytes: number): Loaded | undefined;
  close(): void;
}

/** The rows of a corpus: the condition that they meet beside their corpus, and whether their vectors fit in memory. */
interface Contents {
  among: string;
  keepsVectors: boolean;
}

/** Bytes of a row without its vector or words, approximately. */
const rowBytes = 150;
/** Bytes of the words of a row, approximately. A snapshot that would be larger than the limit is not loaded. */
const wordsBytes = 700;

/** Opens the database of a corpus. */
export function openReading(source: SnapshotSource): Reading {
  const { path, extensions } = source;
  const db = openSqlite(path, { extensions, readOnly: true, timeoutMs: 10_000 });
  try {
    // The first read after BEGIN fixes what the transaction sees.
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    load(maxBytes) {
      const contents = measure(db, source, maxBytes);
      if (contents === undefined) return undefined;
      const { among, keepsVectors } = contents;
      const found = loadImage(db, source, among, keepsVectors);
      return 'segments' in found ? found : { segments: [read(db, source, contents)], image: found };
    },
    close: () => db.close(),
  };
}

/** Returns which rows a corpus has, and whether its vectors fit in memory; `undefined` if it does not fit. */
function measure(db: SqliteFile, { corpusId, vectors }: SnapshotSource, maxBytes: number): Contents | undefined {
  const among = vectors === undefined ? '1' : `chunk.id IN (SELECT rowid FROM ${vectors.table}_rowids)`;
  const count = countRows(db, corpusId, among);
  const fits = (keepsVectors: boolean) => {
    const indexBytes = vectors === undefined ? wordsBytes : vectorRowBytes(vectors.dimensions, keepsVectors);
    return count * (rowBytes + indexBytes) <= maxBytes;
  };
  return fits(false) ? { among, keepsVectors: fits(true) } : undefined;
}

function read(db: SqliteFile, source: SnapshotSource, contents: Contents): Segment {
  const { path, extensions, corpusId, vectors } = source;
  const rows = loadRows(db, corpusId, contents.among);
  if (vectors === undefined) return { rows, index: { kind: 'words', words: readWords(db, rows) } };
  const { table, dimensions } = vectors;
  const count = rows.keys.length;
  const held = readVectors(db, corpusId, table, { count, dimensions, keepsVectors: contents.keepsVectors });
  return { rows, index: { kind: 'vectors', vectors: held, stored: { path, extensions, table } } };
}

function readVectors(
  db: SqliteFile,
  corpusId: number,
  table: string,
  { count, dimensions, keepsVectors }: { count: number; dimensions: number; keepsVectors: boolean },
): VectorSegment {
  const sql = `SELECT embedding FROM chunk CROSS JOIN ${table} AS near ON near.rowid = chunk.id
    WHERE chunk.corpus_id = ? ORDER BY chunk.id`;
  function* vectors() {
    for (const { embedding } of db.prepare(sql).iterate(corpusId)) yield toFloats(embedding as Uint8Array);
  }
  return createVectorSegment(count, dimensions, vectors(), keepsVectors);
}

function readWords(db: SqliteFile, rows: RowTable): WordSegment {
  const lengths = new Uint32Array(rows.keys.length);
  const builder = createWordSegmentBuilder();
  db.exec("CREATE VIRTUAL TABLE temp.occurrence USING fts5vocab('main', 'chunk_text', 'instance')");
  const perWord = db.prepare('SELECT term, json_group_array(doc) AS keys FROM temp.occurrence GROUP BY term');
  for (const { term, keys } of perWord.iterate()) {
    const word = Buffer.from(term as string, 'utf8');
    builder.beginWord(word, 0, word.length);
    eachRun(JSON.parse(keys as string) as number[], (key, count) => {
      const position = positionOf(rows, key);
      if (position < 0) return;
      lengths[position] = (lengths[position] as number) + count;
      builder.add(position, count);
    });
    builder.endWord();
  }
  return builder.share(lengths);
}

// Calls `visit` for each run of the same key.
function eachRun(keys: readonly number[], visit: (key: number, count: number) => void): void {
  for (let start = 0, end = 0; start < keys.length; start = end) {
    const key = keys[start] as number;
    while (end < keys.length && keys[end] === key) end++;
    visit(key, end - start);
  }
}

function countRows(db: SqliteFile, corpusId: number, among: string): number {
  const sql = `SELECT count(*) AS count FROM chunk WHERE corpus_id = ? AND ${among}`;
  return Number(db.prepare(sql).get(corpusId)?.count ?? 0);
}

function loadRows(db: SqliteFile, corpusId: number, among: string): RowTable {
  const builder = createRowTableBuilder();
  const attributesOf = readAttributes(db, corpusId);
  const sql = `SELECT id, acl_id, added_in, removed_in, language, updated_ms, document_id, chunk_id FROM chunk
    WHERE corpus_id = ? AND ${among} ORDER BY id`;
  for (const found of db.prepare(sql).iterate(corpusId)) {
    const row = found as ChunkRow;
    builder.add(toIndexRow(row, attributesOf(row.id)), row.added_in, row.removed_in);
  }
  return builder.share();
}

// Returns a function from the id of a row to its attributes. The ids must come in order, as the rows do.
function readAttributes(db: SqliteFile, corpusId: number): (id: number) => Record<string, string> {
  const sql = `SELECT attribute.id, name, value FROM chunk CROSS JOIN attribute ON attribute.id = chunk.id
    WHERE chunk.corpus_id = ? ORDER BY chunk.id`;
  const all = db.prepare(sql).iterate(corpusId);
  let next = all.next();
  return (id) => {
    const attributes: [string, string][] = [];
    while (!next.done && Number(next.value.id) <= id) {
      const { name, value } = next.value;
      if (next.value.id === id) attributes.push([name as string, value as string]);
      next = all.next();
    }
    return Object.fromEntries(attributes);
  };
}
