import { DatabaseSync } from 'node:sqlite';
import { serveCalls } from '#kit/base/worker-rpc.ts';
import { createKeywordBlock, type KeywordBlock, searchKeywordBlocks } from './keyword-block.ts';
import type { SnapshotHit, SnapshotReply, SnapshotRequest, SnapshotSource } from './protocol.ts';
import { createVectorBlock, type VectorBlock } from './vector-block.ts';

// The worker thread that holds index versions in memory and searches them.

/** Keys and ids of the rows, by position. */
interface Rows {
  keys: number[];
  chunkIds: string[];
  documentIds: string[];
}

interface Snapshot {
  rows: Rows;
  vectors: VectorBlock | undefined;
  words: KeywordBlock | undefined;
}

const snapshots = new Map<number, Snapshot>();

serveCalls(handle);

function handle(request: SnapshotRequest): SnapshotReply {
  switch (request.kind) {
    case 'load': {
      const loaded = load(request.source, request.maxBytes);
      if (loaded === undefined) return { sizeBytes: undefined };
      snapshots.set(request.snapshotId, loaded);
      const namesBytes = loaded.rows.keys.length * 200;
      return { sizeBytes: namesBytes + (loaded.vectors?.sizeBytes ?? 0) + (loaded.words?.sizeBytes ?? 0) };
    }
    case 'near': {
      const hits = request.snapshotIds.flatMap((id) => {
        const { rows, vectors } = find(id);
        const top = vectors?.search(request.vector, request.aclIds, request.limit);
        return Array.from(top?.positions ?? [], (position, index) =>
          toHit(rows, position, top?.scores[index] as number),
        );
      });
      return { hits };
    }
    case 'words': {
      const found = request.snapshotIds.map(find);
      const blocks = found.map(({ words }) => words as KeywordBlock);
      const best = searchKeywordBlocks(blocks, request.words, request.aclIds, request.limit);
      return {
        hits: best.map(({ block, position, score }) => toHit((found[block] as Snapshot).rows, position, score)),
      };
    }
    case 'drop':
      snapshots.delete(request.snapshotId);
      return {};
    default:
      return request satisfies never;
  }
}

function find(id: number): Snapshot {
  const snapshot = snapshots.get(id);
  if (snapshot === undefined) throw new Error(`no snapshot ${id}`);
  return snapshot;
}

function toHit({ keys, chunkIds, documentIds }: Rows, position: number, score: number): SnapshotHit {
  return {
    key: keys[position] as number,
    chunkId: chunkIds[position] as string,
    documentId: documentIds[position] as string,
    score,
  };
}

// Reads a version in one transaction. Returns `undefined` if it is larger than `maxBytes`.
function load(source: SnapshotSource, maxBytes: number): Snapshot | undefined {
  const { path, extensions, vectors } = source;
  const db = new DatabaseSync(path, { readOnly: true, allowExtension: extensions.length > 0, timeout: 10_000 });
  try {
    for (const extension of extensions) db.loadExtension(extension);
    db.exec('BEGIN');
    return vectors === undefined ? loadWords(db, source, maxBytes) : loadVectors(db, source, vectors, maxBytes);
  } finally {
    db.close();
  }
}

type NamedRow = { key: number; acl_id: number; chunk_id: string; document_id: string };

function nameRow(rows: Rows, { key, chunk_id, document_id }: NamedRow): void {
  rows.keys.push(key);
  rows.chunkIds.push(chunk_id);
  rows.documentIds.push(document_id);
}

function loadVectors(
  db: DatabaseSync,
  { corpusId, version }: SnapshotSource,
  { table, dimensions }: { table: string; dimensions: number },
  maxBytes: number,
): Snapshot | undefined {
  const visible = 'corpus_id = ? AND chunk.added_in <= ? AND chunk.removed_in > ?';
  const counting = `SELECT count(*) AS count FROM chunk
    CROSS JOIN ${table}_rowids AS there ON there.rowid = chunk.id WHERE ${visible}`;
  const count = Number(db.prepare(counting).get(corpusId, version, version)?.count ?? 0);
  if (count * (dimensions * 4 + 200) > maxBytes) return undefined;
  const rows: Rows = { keys: [], chunkIds: [], documentIds: [] };
  const sql = `SELECT chunk.id AS key, chunk.acl_id, chunk_id, document_id, embedding FROM chunk CROSS JOIN ${table} AS near
    ON near.rowid = chunk.id WHERE ${visible} ORDER BY chunk.id`;
  function* read() {
    for (const row of db.prepare(sql).iterate(corpusId, version, version)) {
      nameRow(rows, row as NamedRow);
      yield { vector: row.embedding as Uint8Array, aclId: row.acl_id as number };
    }
  }
  return { vectors: createVectorBlock(count, dimensions, read()), words: undefined, rows };
}

/** Approximate bytes of a row's words. A version that would be larger than the limit is not loaded. */
const bytesPerRow = 1500;

function loadWords(db: DatabaseSync, { corpusId, version }: SnapshotSource, maxBytes: number): Snapshot | undefined {
  const rows: Rows = { keys: [], chunkIds: [], documentIds: [] };
  const aclIds: number[] = [];
  const sql = `SELECT id AS key, acl_id, chunk_id, document_id FROM chunk
    WHERE corpus_id = ? AND added_in <= ? AND removed_in > ? ORDER BY id`;
  for (const row of db.prepare(sql).iterate(corpusId, version, version)) {
    nameRow(rows, row as NamedRow);
    aclIds.push(row.acl_id as number);
    if (rows.keys.length * bytesPerRow > maxBytes) return undefined;
  }
  const positionOf = new Map(rows.keys.map((key, position) => [key, position]));
  db.exec("CREATE VIRTUAL TABLE temp.occurrence USING fts5vocab('main', 'chunk_text', 'instance')");
  const perWord = db.prepare('SELECT term, json_group_array(doc) AS keys FROM temp.occurrence GROUP BY term');
  function* read() {
    for (const { term, keys } of perWord.iterate()) {
      const positions: number[] = [];
      for (const key of JSON.parse(keys as string) as number[]) {
        const position = positionOf.get(key);
        if (position !== undefined) positions.push(position);
      }
      if (positions.length > 0) yield { word: term as string, positions };
    }
  }
  return { words: createKeywordBlock(Int32Array.from(aclIds), read()), vectors: undefined, rows };
}
