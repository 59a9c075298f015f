import type { FieldType, RowData } from '@zilliz/milvus2-sdk-node';
import { unavailable } from '#kit/base/errors.ts';
import { type Change, forever, type Hit, type IndexRow } from '../../../stores/index-row.ts';
import {
  attributeTerms,
  changedColumn,
  changeSteps,
  chunksOf,
  columnNames,
  toTerm,
} from '../../../stores/remote/rows.ts';
import { documentTerm, expressionOf, noTime, rowExpression } from './conditions.ts';
import { checked, checkStatus, loaded, type MilvusStore, orMissing } from './connection.ts';

// What both stores share on Milvus: rows as entities, and their changes.

/** Rows of an upsert, and their bytes, at most; a server takes 64 MB. */
const maxBatchRows = 500;
const maxBatchBytes = 8 * 1024 * 1024;

/** Attributes of a document are at most 64; a term has 32 characters. */
const maxAttributes = 64;

/** Longest id in bytes: 512 UTF-16 code units. */
const maxIdBytes = 2048;

/** Fields of every row. The primary key is in the order of the keys, and no other tenant's. */
const rowFields: FieldType[] = [
  { name: 'id', data_type: 'VarChar', max_length: 64, is_primary_key: true },
  { name: 'tenant', data_type: 'VarChar', max_length: 32, is_partition_key: true },
  ...['key', 'corpus_id', 'acl_id', 'added_in', 'removed_in', 'language', 'updated_ms'].map(
    (name): FieldType => ({ name, data_type: 'Int64' }),
  ),
  { name: 'document', data_type: 'VarChar', max_length: 32 },
  { name: 'document_id', data_type: 'VarChar', max_length: maxIdBytes },
  { name: 'chunk_id', data_type: 'VarChar', max_length: maxIdBytes },
  {
    name: 'attributes',
    data_type: 'Array',
    element_type: 'VarChar',
    max_length: 32,
    max_capacity: maxAttributes,
  },
];

/** Fields that conditions read, each with an index for them. */
const indexedFields = ['corpus_id', 'acl_id', 'document', 'attributes', 'key'];

/** What a store adds to the rows. */
export interface RowEntities<R extends IndexRow> {
  /** All collections that may hold rows of the tenant. */
  collections(): Promise<readonly string[]>;
  /** The collection of new rows; made where it is not there. */
  target(): Promise<string>;
  fieldsOf(row: R): RowData;
  /** Roughly, for the size of a batch. */
  sizeOf(row: R): number;
}

/** Whether a collection is there; the client cannot search in one that is not. Remembered for a minute where it is. */
export async function hasCollection(store: MilvusStore, name: string, signal?: AbortSignal): Promise<boolean> {
  if (store.there.has(name)) return true;
  const { value } = await store.read(
    async () => checked(await store.client.hasCollection({ collection_name: name })),
    signal,
  );
  if (value) store.there.set(name, true);
  return Boolean(value);
}

/** Makes a collection with its indices where it is not there, and has it loaded. */
export async function createCollection(
  { client, write, settings }: MilvusStore,
  name: string,
  fields: readonly FieldType[],
  indices: readonly { field_name: string; index_type: string; metric_type: string; params?: Record<string, number> }[],
): Promise<void> {
  await write(async () => {
    const there = checked(await client.hasCollection({ collection_name: name }));
    if (!there.value) {
      checkStatus(
        await client.createCollection({
          collection_name: name,
          fields: [...rowFields, ...fields],
          num_partitions: settings.partitions,
          // A search sees every change that was acknowledged before it.
          consistency_level: 'Strong',
        }),
      );
    }
    // Somebody may have been cut off between them, so each is asked for again.
    const scalars = indexedFields.map((field_name) => ({ field_name, index_type: 'INVERTED' }));
    for (const index of [...indices, ...scalars]) {
      const reply = await client.createIndex({ collection_name: name, ...index });
      // An index that is there, or one for arrays, which Milvus Lite does without.
      if (!/already exist|does not support scalar index/.test(reply.reason)) checkStatus(reply);
    }
    await client.loadCollectionSync({ collection_name: name, replica_number: settings.replicas });
  });
}

/** Carries out a change, a step after another. */
export async function applyChange<R extends IndexRow>(
  store: MilvusStore,
  tenant: string,
  corpusId: number,
  change: Change<R>,
  entities: RowEntities<R>,
): Promise<void> {
  const steps = changeSteps(corpusId, change);
  if (steps.length === 0) return;
  const collections = await entities.collections();
  for (const step of steps) {
    if (step.kind === 'insert') {
      await upsert(
        store,
        await entities.target(),
        step.rows.map((row) => ({ ...rowEntity(tenant, corpusId, row, step.version), ...entities.fieldsOf(row) })),
        (index) => entities.sizeOf(step.rows[index] as R),
      );
      continue;
    }
    const filter = rowExpression(tenant, step.where);
    for (const collection_name of collections) {
      const done =
        step.kind === 'delete'
          ? store.write(() =>
              loaded(store, collection_name, async () => {
                checked(await store.client.delete({ collection_name, filter }));
              }),
            )
          : setField(store, collection_name, filter, changedColumn(step.field, columnNames));
      await orMissing(undefined, done);
    }
  }
}

// A server changes an entity only as a whole, so those that a condition names are read and written again.
async function setField(
  store: MilvusStore,
  name: string,
  filter: string,
  [field, value]: [string, number],
): Promise<void> {
  for (let before = ''; ; ) {
    const asked = { collection_name: name, filter, output_fields: ['*'], limit: maxBatchRows };
    const { data } = await store.write(() =>
      loaded(store, name, async () => checked(await store.client.query({ ...asked }))),
    );
    if (data.length === 0) return;
    const ids = data.map(({ id }) => id).join();
    // What was changed is no longer found; a server where it still is would keep us here for ever.
    if (ids === before) throw unavailable(store.name, `the ${store.name} does not show what was written`);
    before = ids;
    await upsert(
      store,
      name,
      data.map((row) => ({ ...row, [field]: value }) as unknown as RowData),
      () => 0,
    );
  }
}

async function upsert(
  { client, write }: MilvusStore,
  collection_name: string,
  rows: readonly RowData[],
  sizeOf: (index: number) => number,
): Promise<void> {
  const numbered = rows.map((row, index) => ({ row, index }));
  for (const batch of chunksOf(numbered, maxBatchRows, maxBatchBytes, ({ index }) => sizeOf(index))) {
    await write(async () => checked(await client.upsert({ collection_name, data: batch.map(({ row }) => row) })));
  }
}

function rowEntity(tenant: string, corpusId: number, row: IndexRow, version: number): RowData {
  return {
    id: `${toTerm(tenant)}.${String(row.key).padStart(16, '0')}`,
    tenant: toTerm(tenant),
    key: row.key,
    corpus_id: corpusId,
    acl_id: row.aclId,
    added_in: version,
    removed_in: forever,
    language: row.language,
    updated_ms: row.updatedMs ?? noTime,
    document: documentTerm(row.documentId),
    document_id: row.documentId,
    chunk_id: row.chunkId,
    attributes: attributeTerms(row),
  };
}

/** The entities of a search as hits. */
export function toHits(found: readonly Record<string, unknown>[]): Hit[] {
  return found.map(({ key, chunk_id, document_id, score }) => ({
    key: Number(key),
    chunkId: chunk_id as string,
    documentId: document_id as string,
    score: Number(score),
  }));
}

/** Fields that hits are made of. */
export const hitFields = ['key', 'chunk_id', 'document_id'];

/** Entities for which an expression holds. */
export async function countEntities(
  store: MilvusStore,
  collection_name: string,
  expr: string,
  signal: AbortSignal,
): Promise<number> {
  const ask = async () => {
    const { data } = checked(await store.client.query({ collection_name, expr, output_fields: ['count(*)'] }));
    return Number(data[0]?.['count(*)'] ?? 0);
  };
  const count = store.read(() => loaded(store, collection_name, ask), signal);
  return orMissing(0, count);
}

/** Rows of a version of a corpus. */
export function countRows(
  store: MilvusStore,
  tenant: string,
  name: string,
  { corpusId, version }: { corpusId: number; version: number },
  signal: AbortSignal,
): Promise<number> {
  const conditions = [`corpus_id == ${corpusId}`, `added_in <= ${version}`, `removed_in > ${version}`];
  return countEntities(store, name, expressionOf(tenant, conditions), signal);
}

/** Keys of a corpus above `after`, ascending, at most `limit`. */
export async function listRowKeys(
  store: MilvusStore,
  tenant: string,
  name: string,
  { corpusId, after, limit }: { corpusId: number; after: number; limit: number },
  signal: AbortSignal,
): Promise<number[]> {
  const keys: number[] = [];
  while (keys.length < limit) {
    // A server gives at most 16,384 at once.
    const size = Math.min(10_000, limit - keys.length);
    const filter = expressionOf(tenant, [`corpus_id == ${corpusId}`, `key > ${keys.at(-1) ?? after}`]);
    // What iterates gets its pages in the order of the primary key.
    const params = { iterator: 'True', reduce_stop_for_best: 'False' };
    const asked = { collection_name: name, filter, output_fields: ['key'], limit: size, params };
    const ask = async () => checked(await store.client.query({ ...asked })).data;
    const page = store.read(() => loaded(store, name, ask), signal);
    const rows = await orMissing([], page);
    keys.push(...rows.map(({ key }) => Number(key)).sort((a, b) => a - b));
    if (rows.length < size) break;
  }
  return keys;
}
