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

// Rows as entities of Milvus and their changes, for both stores.

/** Most rows of an upsert, and most bytes; a server accepts 64 MB. */
const maxBatchRows = 500;
const maxBatchBytes = 8 * 1024 * 1024;

/** Most attributes of a document; each is a term of 32 characters. */
const maxAttributes = 64;

/** Longest id in bytes: 512 UTF-16 code units. */
const maxIdBytes = 2048;

/** Fields of every row. The primary key includes the tenant, and has the order of the keys. */
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

/** Fields with an index, because conditions read them. */
const indexedFields = ['corpus_id', 'acl_id', 'document', 'attributes', 'key'];

/** A store's own part of the rows. */
export interface RowEntities<R extends IndexRow> {
  /** Returns all collections that may hold rows of the tenant. */
  collections(): Promise<readonly string[]>;
  /** Returns the collection of new rows, which is created if it does not exist. */
  target(): Promise<string>;
  fieldsOf(row: R): RowData;
  /** Returns the approximate bytes of a row, to size batches. */
  sizeOf(row: R): number;
}

/** Returns whether a collection exists; the client cannot search in one that does not. Keeps a positive answer for a minute. */
export async function hasCollection(store: MilvusStore, name: string, signal?: AbortSignal): Promise<boolean> {
  if (store.existing.has(name)) return true;
  const { value } = await store.read(
    async () => checked(await store.client.hasCollection({ collection_name: name })),
    signal,
  );
  if (value) store.existing.set(name, true);
  return Boolean(value);
}

/** Creates a collection with its indices if it does not exist, and loads it. */
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
    // Another process may have stopped between the indices, so each one is requested again.
    const scalars = indexedFields.map((field_name) => ({ field_name, index_type: 'INVERTED' }));
    for (const index of [...indices, ...scalars]) {
      const reply = await client.createIndex({ collection_name: name, ...index });
      // Milvus Lite has no indices for arrays, and does not need them.
      if (!/already exist|does not support scalar index/.test(reply.reason)) checkStatus(reply);
    }
    await client.loadCollectionSync({ collection_name: name, replica_number: settings.replicas });
  });
}

/** Applies a change, one step after another. */
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

// Milvus replaces an entity as a whole, so this reads the entities of a condition and writes them again.
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
    // A changed entity is no longer found. If the server still finds it, the loop would not end.
    if (ids === before) throw unavailable(store.name, `the ${store.name} does not show a write: check the server`);
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

/** Returns the entities of a search as hits. */
export function toHits(found: readonly Record<string, unknown>[]): Hit[] {
  return found.map(({ key, chunk_id, document_id, score }) => ({
    key: Number(key),
    chunkId: chunk_id as string,
    documentId: document_id as string,
    score: Number(score),
  }));
}

/** The fields of a hit. */
export const hitFields = ['key', 'chunk_id', 'document_id'];

/** Returns the number of entities for which an expression holds. */
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

/** Returns the number of rows of a version of a corpus. */
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

/** Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. */
export async function listRowKeys(
  store: MilvusStore,
  tenant: string,
  name: string,
  { corpusId, after, limit }: { corpusId: number; after: number; limit: number },
  signal: AbortSignal,
): Promise<number[]> {
  const keys: number[] = [];
  while (keys.length < limit) {
    // A server returns at most 16,384 rows in a reply.
    const size = Math.min(10_000, limit - keys.length);
    const filter = expressionOf(tenant, [`corpus_id == ${corpusId}`, `key > ${keys.at(-1) ?? after}`]);
    // An iterator gets its pages in the order of the primary key.
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
