import { addSegment } from '../build/add.ts';
import type { Segment } from '../segment.ts';
import type { SnapshotQuery } from './protocol.ts';

/** Rows of each kind: enough that vectors are searched by their codes. */
const rowCount = 512;
/** Searches of each kind: after so many, the engine has compiled most of the code. */
const searchCount = 50;
const dimensions = 64;

/** Searches made-up rows until the code of a search is compiled. `open` makes a segment ready, `search` searches some. */
export function warmUp<T>(
  open: (segment: Segment) => T,
  search: (targets: readonly { segment: T; version: number }[], query: SnapshotQuery) => unknown,
): void {
  const rows = Array.from({ length: rowCount }, (_, key) => ({
    ...{ key, chunkId: `c${key}`, documentId: `d${key}`, aclId: 1, language: 0, updatedMs: undefined, attributes: {} },
    tokens: `w${key % 7} w${key % 11} w${key % 13}`,
    vector: Float32Array.from({ length: dimensions }, (_, index) => Math.sin(key * dimensions + index)),
  }));
  const words = Array.from({ length: 12 }, (_, index) => ({ word: `w${index}`, weight: 1 }));
  const scope = { aclIds: [1], filter: undefined, limit: 50 };
  const near = [{ segment: open(addSegment(rows, 1, dimensions)), version: 1 }];
  const byWord = [{ segment: open(addSegment(rows, 1, undefined)), version: 1 }];
  for (let count = 0; count < searchCount; count++) {
    search(near, { ...scope, kind: 'near', vector: (rows[count] as (typeof rows)[number]).vector });
    search(byWord, { ...scope, kind: 'words', words });
  }
}
