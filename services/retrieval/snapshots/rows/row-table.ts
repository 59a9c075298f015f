import { forever, type IndexRow } from '../../stores/index-row.ts';
import { createUint32List } from './shared.ts';
import {
  createStringsBuilder,
  createStringTableBuilder,
  type Strings,
  type StringTable,
  stringAt,
  stringBytes,
} from './strings.ts';

/**
 * The rows of a segment without their vectors or words, a column for each field, in shared memory. A row's position is its index in the
 * columns; positions follow the keys. `aclIds`, `removedIn` and `generation` change while threads read them, all other columns never do.
 */
export interface RowTable {
  keys: Float64Array<SharedArrayBuffer>;
  aclIds: Int32Array<SharedArrayBuffer>;
  addedIn: Uint32Array<SharedArrayBuffer>;
  /** {@link neverRemoved}, or the version that removed the row; 0: the row is deleted from every version. */
  removedIn: Uint32Array<SharedArrayBuffer>;
  languages: Int32Array<SharedArrayBuffer>;
  /** NaN: the document has no time. */
  updatedMs: Float64Array<SharedArrayBuffer>;
  /** Number of the row's document in `documentIds`. */
  documents: Uint32Array<SharedArrayBuffer>;
  documentIds: StringTable;
  /** The first row of each document. */
  firstRows: Uint32Array<SharedArrayBuffer>;
  /** The next row of the same document, or {@link noRow}. */
  nextRows: Uint32Array<SharedArrayBuffer>;
  chunkIds: Strings;
  /** Different attributes, each as JSON `[name, value]`. */
  attributes: StringTable;
  /** Row r has the attributes `attributeIds[attributeStarts[r]]` to the one before `attributeIds[attributeStarts[r + 1]]`. */
  attributeStarts: Uint32Array<SharedArrayBuffer>;
  attributeIds: Uint32Array<SharedArrayBuffer>;
  /** One number, which changes after each change of the other columns. */
  generation: Int32Array<SharedArrayBuffer>;
}

/** `removedIn` of a row that no version has removed. */
export const neverRemoved = 0xffffffff;
/** The end of a document's rows. */
export const noRow = 0xffffffff;

/** Collects rows. They must come in order of their keys. */
export interface RowTableBuilder {
  readonly count: number;
  add(row: IndexRow, addedIn: number, removedIn: number): void;
  /** Copies a row of another table. */
  copy(table: RowTable, position: number): void;
  share(): RowTable;
}

/** Returns the stored form of `removedIn`. */
export function storedRemovedIn(removedIn: number): number {
  return removedIn === forever ? neverRemoved : removedIn;
}

/** Returns the stored form of an attribute. */
export function attributeText(name: string, value: string): string {
  return JSON.stringify([name, value]);
}

/** Returns whether a row is in any version. */
export function isAlive({ removedIn }: RowTable, position: number): boolean {
  return removedIn[position] !== 0;
}

/** Returns the size of a table in bytes. */
export function rowTableBytes(table: RowTable): number {
  const columns = [
    ...[table.keys, table.aclIds, table.addedIn, table.removedIn, table.languages, table.updatedMs, table.documents],
    ...[table.firstRows, table.nextRows, table.attributeStarts, table.attributeIds],
  ];
  const texts = [table.documentIds, table.chunkIds, table.attributes];
  return (
    columns.reduce((sum, { byteLength }) => sum + byteLength, 0) +
    texts.reduce((sum, strings) => sum + stringBytes(strings), 0)
  );
}

/** Returns the ids of a row. */
export function namesOf(table: RowTable, position: number): { key: number; chunkId: string; documentId: string } {
  return {
    key: table.keys[position] as number,
    chunkId: stringAt(table.chunkIds, position),
    documentId: stringAt(table.documentIds, table.documents[position] as number),
  };
}

/** Creates a collection of rows. */
export function createRowTableBuilder(): RowTableBuilder {
  const keys: number[] = [];
  const updatedMs: number[] = [];
  const aclIds = createUint32List();
  const addedIn = createUint32List();
  const removedIn = createUint32List();
  const languages = createUint32List();
  const documents = createUint32List();
  const attributeStarts = createUint32List();
  const attributeIds = createUint32List();
  const documentIds = createStringTableBuilder();
  const chunkIds = createStringsBuilder();
  const attributes = createStringTableBuilder();
  const textOf = createTextBuffer();

  const begin = (key: number) => {
    if (keys.length > 0 && key <= (keys.at(-1) as number)) throw new Error('rows must come in order of their keys');
    keys.push(key);
    attributeStarts.push(attributeIds.length);
  };
  const copyText = (source: Strings, index: number): [Uint8Array, number, number] => [
    source.bytes,
    source.offsets[index] as number,
    source.offsets[index + 1] as number,
  ];
  return {
    get count() {
      return keys.length;
    },
    add(row, added, removed) {
      begin(row.key);
      aclIds.push(row.aclId);
      addedIn.push(added);
      removedIn.push(storedRemovedIn(removed));
      languages.push(row.language);
      updatedMs.push(row.updatedMs ?? Number.NaN);
      documents.push(documentIds.numberOf(...textOf(row.documentId)));
      chunkIds.add(...textOf(row.chunkId));
      for (const [name, value] of Object.entries(row.attributes)) {
        attributeIds.push(attributes.numberOf(...textOf(attributeText(name, value))));
      }
    },
    copy(table, position) {
      begin(table.keys[position] as number);
      aclIds.push(table.aclIds[position] as number);
      addedIn.push(table.addedIn[position] as number);
      removedIn.push(table.removedIn[position] as number);
      languages.push(table.languages[position] as number);
      updatedMs.push(table.updatedMs[position] as number);
      documents.push(documentIds.numberOf(...copyText(table.documentIds, table.documents[position] as number)));
      chunkIds.add(...copyText(table.chunkIds, position));
      const end = table.attributeStarts[position + 1] as number;
      for (let at = table.attributeStarts[position] as number; at < end; at++) {
        attributeIds.push(attributes.numberOf(...copyText(table.attributes, table.attributeIds[at] as number)));
      }
    },
    share() {
      attributeStarts.push(attributeIds.length);
      const shared = documents.share();
      return {
        keys: shareFloats(keys),
        aclIds: new Int32Array(aclIds.share().buffer),
        addedIn: addedIn.share(),
        removedIn: removedIn.share(),
        languages: new Int32Array(languages.share().buffer),
        updatedMs: shareFloats(updatedMs),
        documents: shared,
        documentIds: documentIds.share(),
        ...chainRows(shared, documentIds.count),
        chunkIds: chunkIds.share(),
        attributes: attributes.share(),
        attributeStarts: attributeStarts.share(),
        attributeIds: attributeIds.share(),
        generation: new Int32Array(new SharedArrayBuffer(4)),
      };
    },
  };
}

function chainRows(documents: Uint32Array, documentCount: number): Pick<RowTable, 'firstRows' | 'nextRows'> {
  const firstRows = new Uint32Array(new SharedArrayBuffer(documentCount * 4)).fill(noRow);
  const nextRows = new Uint32Array(new SharedArrayBuffer(documents.length * 4));
  for (let position = documents.length - 1; position >= 0; position--) {
    const document = documents[position] as number;
    nextRows[position] = firstRows[document] as number;
    firstRows[document] = position;
  }
  return { firstRows, nextRows };
}

function shareFloats(values: readonly number[]): Float64Array<SharedArrayBuffer> {
  const shared = new Float64Array(new SharedArrayBuffer(values.length * 8));
  shared.set(values);
  return shared;
}

/** Creates a function that returns a text as UTF-8, in memory that the next call writes over. */
export function createTextBuffer(): (text: string) => [bytes: Uint8Array, start: number, end: number] {
  let buffer = Buffer.alloc(4096);
  return (text) => {
    // A UTF-16 code unit takes at most three bytes.
    if (text.length * 3 > buffer.length) buffer = Buffer.alloc(text.length * 3);
    return [buffer, 0, buffer.write(text, 0, 'utf8')];
  };
}
