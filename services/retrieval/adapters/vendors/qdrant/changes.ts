import { unavailable } from '#kit/base/errors.ts';
import { type Change, forever, type IndexRow } from '../../../stores/index-row.ts';
import {
  attributeTerms,
  type ChangeStep,
  changedColumn,
  changeSteps,
  chunksOf,
  columnNames,
  toTerm,
} from '../../../stores/remote/rows.ts';
import type { CollectionParams, QdrantCollections } from './collections.ts';
import { stepFilter } from './conditions.ts';
import type { QdrantConnection } from './connection.ts';

// Changes of rows in Qdrant: rows become points.

/** A vector of a point; `undefined`: the point is counted, but no search finds it. */
export type PointVector = number[] | { indices: number[]; values: number[] } | undefined;

/** How the rows of a change become points, and the parameters of their collection if it does not exist. */
export interface PointRows<R extends IndexRow> {
  params: CollectionParams;
  toVector(row: R): PointVector;
}

/** The only name of a vector in a collection. */
export const vectorName = 'chunk';

/** Points of a write. */
const maxPoints = 256;

/** Numbers in the vectors of a write. By default a server accepts 32 MB, and a number takes up to 25 bytes. */
const maxNumbers = 500_000;

/** Writes of one collection are applied in the order in which they are sent. */
const ordering = 'strong';

/**
 * Applies a change in a collection. Without `rows`, a collection that does not exist has nothing to change.
 */
export async function applyChange<R extends IndexRow>(
  connection: QdrantConnection,
  collections: QdrantCollections,
  target: { collection: string; tenant: string; corpusId: number },
  change: Change<R>,
  rows: PointRows<R> | undefined,
): Promise<void> {
  const { collection, tenant, corpusId } = target;
  for (const step of changeSteps(corpusId, change)) {
    if (step.kind !== 'insert') {
      await changePoints(connection, collection, tenant, step);
      continue;
    }
    if (rows === undefined) continue;
    const points = step.rows.map((row) => toPoint(tenant, corpusId, step.version, row, rows.toVector(row)));
    for (const part of chunksOf(points, maxPoints, maxNumbers, sizeOf)) {
      await writePoints(connection, collections, collection, rows.params, part);
    }
  }
}

async function changePoints(
  { api, orAbsent }: QdrantConnection,
  collection_name: string,
  tenant: string,
  step: Exclude<ChangeStep<IndexRow>, { kind: 'insert' }>,
): Promise<void> {
  const request = { collection_name, wait: true, ordering, filter: stepFilter(tenant, step.where) } as const;
  await orAbsent(undefined, async (signal) => {
    if (step.kind === 'delete') await api.deletePoints(request, { signal });
    else {
      const payload = Object.fromEntries([changedColumn(step.field, columnNames)]);
      await api.setPayload({ ...request, payload }, { signal });
    }
  });
}

async function writePoints(
  { api, name, orAbsent }: QdrantConnection,
  collections: QdrantCollections,
  collection_name: string,
  params: CollectionParams,
  points: ReturnType<typeof toPoint>[],
): Promise<void> {
  const upsert = async () => {
    await collections.ensure(collection_name, params);
    return orAbsent(false, async (signal) => {
      await api.upsertPoints({ collection_name, wait: true, ordering, points }, { signal });
      return true;
    });
  };
  if (await upsert()) return;
  // The server has lost a collection that this process has seen.
  collections.forget(collection_name);
  if (!(await upsert())) throw unavailable(name, `the ${name} loses its collections: check the server`);
}

// The id of a point includes the tenant, so that no write of a tenant can replace a row of another.
function toPoint(tenant: string, corpusId: number, version: number, row: IndexRow, vector: PointVector) {
  const { key, aclId, language, updatedMs, documentId, chunkId } = row;
  return {
    id: toTerm(tenant, key).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    vector: vector === undefined ? {} : { [vectorName]: vector },
    payload: {
      tenant,
      corpus_id: corpusId,
      key,
      acl_id: aclId,
      added_in: version,
      removed_in: forever,
      language,
      ...(updatedMs !== undefined && { updated_ms: updatedMs }),
      document_id: documentId,
      chunk_id: chunkId,
      attributes: attributeTerms(row),
    },
  };
}

function sizeOf({ vector }: ReturnType<typeof toPoint>): number {
  const numbers = vector[vectorName];
  if (numbers === undefined) return 0;
  return Array.isArray(numbers) ? numbers.length : numbers.indices.length * 2;
}
