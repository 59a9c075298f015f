import type { CollectionConfigCreate, PropertyConfigCreate, WeaviateField } from 'weaviate-client';
import { unavailable } from '#kit/base/errors.ts';
import { bm25 } from '../../../stores/bm25.ts';
import type { Change, Hit, IndexRow } from '../../../stores/index-row.ts';
import {
  attributeTerms,
  type ChangeStep,
  changedColumn,
  changeSteps,
  chunksOf,
  columnNames,
  toTerm,
} from '../../../stores/remote/rows.ts';
import { documentTerm, rowCondition, versionCondition } from './conditions.ts';
import { orMissing, type WeaviateSettings, type WeaviateStore } from './connection.ts';

// Rows as objects of Weaviate and their changes, for both stores.

/** Most objects of a batch, and most bytes. */
const maxBatchRows = 500;
const maxBatchBytes = 8 * 1024 * 1024;

/** Objects that are changed at the same time, and objects of a page. */
const concurrentUpdates = 16;
const pageSize = 1000;

/** Properties of every row. The tokenization `field` indexes a text as one term. */
const rowProperties: PropertyConfigCreate<undefined>[] = [
  ...['key', 'corpus_id', 'acl_id', 'added_in', 'removed_in', 'language', 'updated_ms'].map((name) => ({
    name,
    dataType: 'int' as const,
    indexFilterable: true,
    indexRangeFilters: /_in$|_ms$|^key$/.test(name),
  })),
  { name: 'document', dataType: 'text', tokenization: 'field', indexFilterable: true, indexSearchable: false },
  { name: 'attributes', dataType: 'text[]', tokenization: 'field', indexFilterable: true, indexSearchable: false },
  { name: 'document_id', dataType: 'text', indexFilterable: false, indexSearchable: false },
  { name: 'chunk_id', dataType: 'text', indexFilterable: false, indexSearchable: false },
];

/** Creates a collection if it does not exist. */
export async function createCollection(
  store: WeaviateStore,
  name: string,
  { replicas }: WeaviateSettings,
  more: { properties: PropertyConfigCreate<undefined>[]; vectorizers?: CollectionConfigCreate['vectorizers'] },
): Promise<void> {
  const { weaviate, write } = store;
  await write(async () => {
    const { collections } = await store.client();
    if (await collections.exists(name)) return;
    const { configure } = weaviate;
    try {
      await collections.create({
        name,
        ...(more.vectorizers === undefined ? {} : { vectorizers: more.vectorizers }),
        properties: [...rowProperties, ...more.properties],
        multiTenancy: configure.multiTenancy({
          enabled: true,
          autoTenantCreation: true,
          autoTenantActivation: true,
        }),
        replication: configure.replication({ factor: replicas }),
        // Our tokens are already without stop words, and a word such as `the` may be part of a code.
        invertedIndex: configure.invertedIndex({ bm25k1: bm25.k1, bm25b: bm25.b, stopwordsPreset: 'none' }),
      });
    } catch (error) {
      // Another process has created it meanwhile.
      if (!(error instanceof Error && /already exists/i.test(error.message))) throw error;
    }
  });
}

/** Returns the hits of a reply. `toScore` converts the requested metadata. */
export function toHits(
  objects: readonly { properties: Record<string, WeaviateField | undefined>; metadata?: unknown }[],
  toScore: (metadata: { score?: number; distance?: number }) => number,
): Hit[] {
  return objects.map(({ properties, metadata }) => ({
    key: Number(properties.key),
    chunkId: properties.chunk_id as string,
    documentId: properties.document_id as string,
    score: toScore((metadata ?? {}) as { score?: number; distance?: number }),
  }));
}

/** The properties of a hit. */
export const hitProperties = ['key', 'chunk_id', 'document_id'] as const;

/** A store's own part of the rows. */
export interface RowObjects<R extends IndexRow> {
  /** Returns all collections that may hold rows of the tenant. */
  collections(): Promise<readonly string[]>;
  /** Returns the collection of new rows, which is created if it does not exist. */
  target(): Promise<string>;
  propertiesOf(row: R): Record<string, string>;
  vectorOf(row: R): number[] | undefined;
  /** Returns the approximate bytes of a row, to size batches. */
  sizeOf(row: R): number;
}

/** Applies a change, one step after another. */
export async function applyChange<R extends IndexRow>(
  store: WeaviateStore,
  tenant: string,
  corpusId: number,
  change: Change<R>,
  objects: RowObjects<R>,
): Promise<void> {
  const steps = changeSteps(corpusId, change);
  if (steps.length === 0) return;
  const collections = await objects.collections();
  for (const step of steps) {
    if (step.kind === 'insert') await insert(store, tenant, corpusId, step, objects);
    else {
      for (const name of collections) {
        const change = step.kind === 'delete' ? remove(store, tenant, name, step) : update(store, tenant, name, step);
        await orMissing(undefined, change);
      }
    }
  }
}

type Step<K extends ChangeStep<IndexRow>['kind']> = Extract<ChangeStep<IndexRow>, { kind: K }>;

async function remove(store: WeaviateStore, tenant: string, name: string, { where }: Step<'delete'>): Promise<void> {
  const collection = await store.of(tenant, name);
  const condition = rowCondition(store, collection, where);
  // A server deletes at most some 10,000 objects in a call.
  for (;;) {
    const { matches, successful } = await store.write(() => collection.data.deleteMany(condition));
    if (successful === matches && matches < 1000) return;
    if (successful === 0) throw unavailable(store.name, `the ${store.name} did not delete all rows: try again`);
  }
}

async function update(store: WeaviateStore, tenant: string, name: string, step: Step<'set'>): Promise<void> {
  const collection = await store.of(tenant, name);
  const filters = rowCondition(store, collection, step.where);
  const properties = Object.fromEntries([changedColumn(step.field, columnNames)]);
  for (let changed = new Set<string>(); ; ) {
    const { objects } = await store.write((signal) =>
      collection.query.fetchObjects({ filters, limit: pageSize, returnProperties: [] }, { abortSignal: signal }),
    );
    if (objects.length === 0) return;
    // A changed object is no longer found. If the server still finds it, the loop would not end.
    if (objects.every(({ uuid }) => changed.has(uuid))) {
      throw unavailable(store.name, `the ${store.name} does not show a write: check the server`);
    }
    for (const some of chunksOf(objects, concurrentUpdates)) {
      await Promise.all(
        some.map(({ uuid }) =>
          store.write(() => collection.data.update({ id: uuid, properties: properties as never })),
        ),
      );
    }
    changed = new Set(objects.map(({ uuid }) => uuid));
  }
}

export async function insert<R extends IndexRow>(
  store: WeaviateStore,
  tenant: string,
  corpusId: number,
  { version, rows }: { version: number; rows: readonly R[] },
  { target, propertiesOf, vectorOf, sizeOf }: RowObjects<R>,
): Promise<void> {
  const collection = await store.of(tenant, await target());
  for (const batch of chunksOf(rows, maxBatchRows, maxBatchBytes, sizeOf)) {
    const objects = batch.map((row) => {
      const vectors = vectorOf(row);
      return {
        id: rowUuid(tenant, row.key),
        properties: { ...rowObject(corpusId, row, version), ...propertiesOf(row) } as never,
        ...(vectors === undefined ? {} : { vectors }),
      };
    });
    const reply = await store.write(() => collection.data.insertMany(objects));
    if (reply.hasErrors) {
      const cause = new Error(Object.values(reply.errors)[0]?.message);
      throw unavailable(store.name, `the ${store.name} did not accept all rows: try again`, cause);
    }
  }
}

function rowUuid(tenant: string, key: number): string {
  return toTerm('row', tenant, key).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function rowObject(corpusId: number, row: IndexRow, version: number): Record<string, unknown> {
  return {
    key: row.key,
    corpus_id: corpusId,
    acl_id: row.aclId,
    added_in: version,
    language: row.language,
    ...(row.updatedMs === undefined ? {} : { updated_ms: row.updatedMs }),
    document: documentTerm(row.documentId),
    document_id: row.documentId,
    chunk_id: row.chunkId,
    attributes: attributeTerms(row),
  };
}

/** Returns the number of rows of a version of a corpus. */
export async function countRows(
  store: WeaviateStore,
  tenant: string,
  name: string,
  { corpusId, version }: { corpusId: number; version: number },
  signal: AbortSignal,
): Promise<number> {
  const count = store.read(async () => {
    const collection = await store.of(tenant, name);
    const filters = versionCondition(store, collection, [corpusId], version);
    return (await collection.aggregate.overAll({ filters })).totalCount;
  }, signal);
  return orMissing(0, count);
}

/** Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. */
export async function listRowKeys(
  store: WeaviateStore,
  tenant: string,
  name: string,
  { corpusId, after, limit }: { corpusId: number; after: number; limit: number },
  signal: AbortSignal,
): Promise<number[]> {
  const keys: number[] = [];
  while (keys.length < limit) {
    const size = Math.min(pageSize, limit - keys.length);
    const last = keys.at(-1) ?? after;
    const page = store.read(async (running) => {
      const collection = await store.of(tenant, name);
      const { filter, sort } = collection;
      const filters = store.Filters.and(
        filter.byProperty('corpus_id').equal(corpusId as never),
        filter.byProperty('key').greaterThan(last as never),
      );
      const asked = {
        filters,
        sort: sort.byProperty('key' as never, true),
        limit: size,
        returnProperties: ['key'] as never,
      };
      return (await collection.query.fetchObjects(asked, { abortSignal: running })).objects;
    }, signal);
    const objects = await orMissing([], page);
    keys.push(...objects.map(({ properties }) => Number((properties as Record<string, WeaviateField>).key)));
    if (objects.length < size) break;
  }
  return keys;
}
