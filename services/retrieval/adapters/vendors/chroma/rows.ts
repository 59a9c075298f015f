import { type Change, forever, type Hit } from '../../../stores/index-row.ts';
import { type ChangeStep, changedColumn, changeSteps, chunksOf, toTerm } from '../../../stores/remote/rows.ts';
import { isZeroVector } from '../../../stores/unit-vector.ts';
import type { VectorRow } from '../../../stores/vector-store.ts';
import type { Chroma, Metadata } from './collections.ts';
import { attributeField, stepWhere, type Where } from './conditions.ts';

// Rows as records of Chroma, their changes and listings.

/** Rows that a request writes or reads. */
export const maxRows = 200;
const pageSize = 1000;

/** The largest reply of a listing, as a multiple of the limit; also the factor by which windows grow and shrink. */
const maxWindow = 4;

/** Applies a change. `target` is the collection of new rows. */
export async function applyChange(
  chroma: Chroma,
  database: string,
  target: string | undefined,
  corpusId: number,
  change: Change<VectorRow>,
): Promise<void> {
  const collections = await chroma.collections(database);
  for (const step of changeSteps(corpusId, change)) {
    if (step.kind !== 'insert') {
      for (const collection of collections) await applyStep(chroma, database, collection, step);
      continue;
    }
    if (target === undefined) throw new Error('rows came without their collection');
    for (const rows of chunksOf(step.rows, maxRows)) {
      const records = rows.map((row) => toRecord(row, corpusId, step.version));
      await chroma.upsert(database, target, records);
    }
  }
}

async function applyStep(
  chroma: Chroma,
  database: string,
  collection: string,
  step: Exclude<ChangeStep<VectorRow>, { kind: 'insert' }>,
): Promise<void> {
  // Reads all ids first, because a change moves the pages that follow.
  const found: string[] = [];
  for await (const ids of listIds(chroma, database, collection, stepWhere(step.where))) found.push(...ids);
  for (const ids of chunksOf(found, maxRows)) {
    if (step.kind === 'delete') await chroma.remove(database, collection, ids);
    else {
      const [field, value] = changedColumn(step.field, { removedIn: 'removed', aclId: 'acl' });
      await chroma.update(database, collection, ids, { [field]: value });
    }
  }
}

/** Yields the ids of all rows that pass a condition, in pages. */
export async function* listIds(
  chroma: Chroma,
  database: string,
  collection: string,
  where: Where,
  signal?: AbortSignal,
): AsyncIterable<string[]> {
  for (let offset = 0; ; offset += pageSize) {
    const { ids } = await chroma.get(database, collection, { where, limit: pageSize, offset }, signal);
    if (ids.length > 0) yield ids;
    if (ids.length < pageSize) return;
  }
}

/**
 * Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. Chroma returns rows in no order, so this reads windows of
 * keys: the next window is wider after an empty one, and narrower after one with too many rows.
 */
export async function listKeysInOrder(
  chroma: Chroma,
  database: string,
  collection: string,
  { corpusId, after, limit }: { corpusId: number; after: number; limit: number },
  signal: AbortSignal,
): Promise<number[]> {
  const most = limit * maxWindow;
  const keys: number[] = [];
  let from = after;
  for (let width = limit; keys.length < limit; ) {
    const conditions = [{ corpus: corpusId }, { key: { $gt: from } }];
    const window = { $and: [...conditions, { key: { $lte: from + width } }] };
    const { ids } = await chroma.get(database, collection, { where: window, limit: most + 1 }, signal);
    if (ids.length > most && width > most) {
      width = Math.ceil(width / maxWindow);
      continue;
    }
    from += width;
    keys.push(...ids.map(Number).sort((a, b) => a - b));
    if (ids.length > 0) continue;
    width *= maxWindow;
    const above = { $and: conditions };
    if ((await chroma.get(database, collection, { where: above, limit: 1 }, signal)).ids.length === 0) break;
  }
  return keys.slice(0, limit);
}

/** Returns the hit of a record. */
export function toHit({ key, chunk, document }: Metadata, score: number): Hit {
  return { key: Number(key), chunkId: String(chunk), documentId: String(document), score };
}

// A row with a zero vector gets another vector and `has_vector: false`: no search finds it.
function toRecord(row: VectorRow, corpusId: number, version: number) {
  const { key, aclId, language, updatedMs, documentId, chunkId, attributes, vector } = row;
  const hasVector = !isZeroVector(vector);
  const metadata: Metadata = {
    key,
    corpus: corpusId,
    acl: aclId,
    added: version,
    removed: forever,
    language,
    document: documentId,
    chunk: chunkId,
    has_vector: hasVector,
    ...(updatedMs !== undefined && { updated: updatedMs }),
    ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [attributeField(name), toTerm(value)])),
  };
  return { id: String(key), metadata, vector: hasVector ? vector : vector.map((_, index) => (index === 0 ? 1 : 0)) };
}
