import { serveCalls } from '#kit/base/worker-rpc.ts';
import type { Hit } from '../../stores/index-row.ts';
import { openStoredVectors } from '../build/stored-vectors.ts';
import { namesOf, type RowTable } from '../rows/row-table.ts';
import { listedRows, type RowScope, rowTest } from '../rows/row-test.ts';
import { createScanEngine } from '../vectors/scan-engine.ts';
import { openVectorSegment, type ScoredRow, type VectorSearch } from '../vectors/vector-search.ts';
import { createScratch, createWordSearcher, searchWords, type WordSearcher } from '../words/word-search.ts';
import type { AttachedSegment, SearchReply, SearchRequest, SearchTarget, SnapshotQuery } from './protocol.ts';
import { warmUp } from './warm-up.ts';

// A worker thread that searches segments. All threads read the same memory.

/** A segment, ready to be searched. */
type Searched = { rows: RowTable; close(): void } & (
  | { kind: 'vectors'; vectors: VectorSearch }
  | { kind: 'words'; words: WordSearcher }
);

const segments = new Map<number, Searched>();
const scratch = createScratch();
const engine = createScanEngine();

serveCalls(handle);

function handle(request: SearchRequest): SearchReply {
  switch (request.kind) {
    case 'search':
      for (const { segmentId, segment } of request.attached) segments.set(segmentId, open(segment));
      return { hits: searchTargets(request.targets, request.query) };
    case 'detach':
      for (const id of request.segmentIds) {
        segments.get(id)?.close();
        segments.delete(id);
      }
      return { hits: [] };
    case 'warm':
      warmUp(open, search);
      return { hits: [] };
    default:
      return request satisfies never;
  }
}

function open({ rows, index }: AttachedSegment['segment']): Searched {
  if (index.kind === 'words') {
    return { rows, kind: 'words', words: createWordSearcher(rows, index.words, scratch), close() {} };
  }
  const { vectors, stored } = index;
  const reader = vectors.vectors === undefined && stored !== undefined ? openStoredVectors(stored) : undefined;
  const read = reader && ((position: number) => reader.read(rows.keys[position] as number));
  return {
    rows,
    kind: 'vectors',
    vectors: openVectorSegment(vectors, engine, read),
    close: () => reader?.close(),
  };
}

/** A segment with the scope of its rows. */
interface Scoped {
  segment: Searched;
  scope: RowScope;
}

/** A row that was found. */
interface Found {
  key: number;
  score: number;
  table: RowTable;
  position: number;
}

function searchTargets(targets: readonly SearchTarget[], query: SnapshotQuery): Hit[] {
  const found = targets.map(({ segmentId, version }) => {
    const segment = segments.get(segmentId);
    if (segment === undefined) throw new Error(`no segment ${segmentId}`);
    return { segment, version };
  });
  return search(found, query);
}

function search(targets: readonly { segment: Searched; version: number }[], query: SnapshotQuery): Hit[] {
  const { aclIds, filter, limit } = query;
  const scoped = targets.map(({ segment, version }): Scoped => ({ segment, scope: { version, aclIds, filter } }));
  const found = query.kind === 'near' ? searchNear(scoped, query) : searchByWords(scoped, query);
  found.sort((a, b) => b.score - a.score || a.key - b.key);
  // Only the best hits need the texts of their ids.
  return found.slice(0, limit).map(({ table, position, score }) => ({ ...namesOf(table, position), score }));
}

function searchNear(scoped: readonly Scoped[], { vector, limit }: SnapshotQuery & { kind: 'near' }): Found[] {
  return scoped.flatMap(({ segment, scope }) => {
    if (segment.kind !== 'vectors') throw new Error('a segment of words has no vectors');
    const test = rowTest(segment.rows, scope);
    const listed = listedRows(segment.rows, scope.filter);
    const best =
      listed === undefined
        ? segment.vectors.nearest(vector, test, limit)
        : segment.vectors.nearestOf(listed, vector, test, limit);
    return best.map((row) => toFound(segment.rows, row));
  });
}

function searchByWords(scoped: readonly Scoped[], { words, limit }: SnapshotQuery & { kind: 'words' }): Found[] {
  const targets = scoped.map(({ segment, scope }) => {
    if (segment.kind !== 'words') throw new Error('a segment of vectors has no words');
    return { searcher: segment.words, scope };
  });
  return searchWords(targets, words, limit).map(({ target, ...row }) =>
    toFound((scoped[target] as Scoped).segment.rows, row),
  );
}

function toFound(table: RowTable, { position, score }: ScoredRow): Found {
  return { key: table.keys[position] as number, score, table, position };
}
