import type { SnapshotSource } from '../build/source.ts';
import { neverRemoved, type RowTable } from '../rows/row-table.ts';
import type { Strings, StringTable } from '../rows/strings.ts';
import type { Segment, SegmentIndex } from '../segment.ts';
import { allocateBlocks } from '../vectors/code-blocks.ts';
import type { VectorSegment } from '../vectors/vector-segment.ts';

// A segment as named columns. Access lists and versions are not among them: the database has those that hold.

/** A column of a segment. */
export type SegmentColumn = readonly [name: string, values: ArrayBufferView];

/** Reads a column: into `target`, or into shared memory of its size. */
export type ReadColumn = (name: string, target?: Uint8Array) => SharedArrayBuffer;

/** Returns the columns of a segment that no change of its rows touches. */
export function columnsOf({ rows, index }: Segment): SegmentColumn[] {
  const { keys, languages, updatedMs, documents, firstRows, nextRows, attributeStarts, attributeIds } = rows;
  const columns = { keys, languages, updatedMs, documents, firstRows, nextRows, attributeStarts, attributeIds };
  return [
    ...Object.entries(columns),
    ...textColumns('documentIds', rows.documentIds),
    ...textColumns('chunkIds', rows.chunkIds),
    ...textColumns('attributes', rows.attributes),
    ...indexColumns(index),
  ];
}

function indexColumns(index: SegmentIndex): SegmentColumn[] {
  if (index.kind === 'words') {
    const { words, starts, postings, lengths } = index.words;
    return [...textColumns('words', words), ...Object.entries({ starts, postings, lengths })];
  }
  const { vectors, blocks } = index.vectors;
  return [
    ...(vectors === undefined ? [] : [['vectors', vectors] as const]),
    ...(blocks === undefined ? [] : Object.entries({ codes: blocks.codes, scales: blocks.scales, sums: blocks.sums })),
  ];
}

function textColumns(name: string, strings: Strings | StringTable): SegmentColumn[] {
  const slots: SegmentColumn[] = 'slots' in strings ? [[`${name}.slots`, strings.slots]] : [];
  return [[`${name}.bytes`, strings.bytes], [`${name}.offsets`, strings.offsets], ...slots];
}

/**
 * Makes a segment of its columns. No row of it is in any version yet. `keepsVectors`: whether it has the vectors beside their codes. Throws if a
 * column is missing or has another size.
 */
export function readSegment(
  { path, extensions, vectors }: SnapshotSource,
  names: ReadonlySet<string>,
  read: ReadColumn,
  keepsVectors: boolean,
): Segment {
  const rows = readRows(read);
  if (vectors === undefined) {
    const words = {
      words: readTable('words', read),
      starts: new Uint32Array(read('starts')),
      postings: new Uint32Array(read('postings')),
      lengths: new Uint32Array(read('lengths')),
    };
    return { rows, index: { kind: 'words', words } };
  }
  const { table, dimensions } = vectors;
  const count = rows.keys.length;
  const held = readVectors({ count, dimensions }, names, read, keepsVectors);
  return { rows, index: { kind: 'vectors', vectors: held, stored: { path, extensions, table } } };
}

function readVectors(
  { count, dimensions }: { count: number; dimensions: number },
  names: ReadonlySet<string>,
  read: ReadColumn,
  keepsVectors: boolean,
): VectorSegment {
  const blocks = names.has('codes') ? allocateBlocks(count, dimensions) : undefined;
  if (names.has('codes') && blocks === undefined) throw new Error('no memory for the codes of vectors');
  for (const [name, values] of Object.entries(blocks ?? {})) {
    if (values instanceof Int8Array || values instanceof Float32Array || values instanceof Int32Array) {
      read(name, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  }
  const vectors = keepsVectors || blocks === undefined ? new Float32Array(read('vectors')) : undefined;
  if (vectors !== undefined && vectors.length !== count * dimensions) throw new Error('vectors of another size');
  return { dimensions, count, vectors, blocks };
}

function readRows(read: ReadColumn): RowTable {
  const keys = new Float64Array(read('keys'));
  const column = () => new SharedArrayBuffer(keys.length * 4);
  return {
    keys,
    aclIds: new Int32Array(column()),
    addedIn: new Uint32Array(column()).fill(neverRemoved),
    removedIn: new Uint32Array(column()),
    languages: new Int32Array(read('languages')),
    updatedMs: new Float64Array(read('updatedMs')),
    documents: new Uint32Array(read('documents')),
    documentIds: readTable('documentIds', read),
    firstRows: new Uint32Array(read('firstRows')),
    nextRows: new Uint32Array(read('nextRows')),
    chunkIds: readStrings('chunkIds', read),
    attributes: readTable('attributes', read),
    attributeStarts: new Uint32Array(read('attributeStarts')),
    attributeIds: new Uint32Array(read('attributeIds')),
    generation: new Int32Array(new SharedArrayBuffer(4)),
  };
}

function readStrings(name: string, read: ReadColumn): Strings {
  return { bytes: new Uint8Array(read(`${name}.bytes`)), offsets: new Uint32Array(read(`${name}.offsets`)) };
}

function readTable(name: string, read: ReadColumn): StringTable {
  return { ...readStrings(name, read), slots: new Uint32Array(read(`${name}.slots`)) };
}
