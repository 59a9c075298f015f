import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { mergeHits } from '../../stores/index-row.ts';
import { toTerm } from '../../stores/remote/rows.ts';
import { isZeroVector } from '../../stores/unit-vector.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { scopeCondition } from '../vendors/weaviate/conditions.ts';
import { connectWeaviate, orMissing, weaviateSettings } from '../vendors/weaviate/connection.ts';
import {
  applyChange,
  countRows,
  createCollection,
  hitProperties,
  listRowKeys,
  toHits,
} from '../vendors/weaviate/rows.ts';

// Vectors in Weaviate, a collection for each space. The flat index compares every vector of the tenant that passes the conditions, so it is
// exact. HNSW is for tenants with many hundred thousand rows; up to `exact_rows` rows that pass, it compares each of them too.
//
// If Weaviate 1.38.11 is killed moments after a write, a row may lose its vector in either index: it is counted but never found. Run
// replicas, or build the version again; the client cannot request more durability.

const indexTypes = ['flat', 'hnsw'] as const;

const vectorSettings = {
  ...weaviateSettings,
  index_type: z.enum(indexTypes).describe('Index of new spaces').default('flat'),
  exact_rows: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe(
      'Rows that pass the conditions of a search, up to which hnsw compares every vector; of spaces that are new',
    )
    .default(40_000),
};

export const adapter = defineAdapter<VectorStore, object, typeof vectorSettings>({
  settings: vectorSettings,
  async create(settings) {
    const indexType = settings.index_type;
    const store = await connectWeaviate('vector store', settings, 'retrieval.vector_store');
    const namesBegin = `${settings.prefix}Vectors`;
    const collectionOf = ({ model, dimensions }: VectorSpace) => `${namesBegin}${toTerm(model, dimensions)}`;
    const known = new Set<string>();

    // Another process may have created some, so every change lists them; there are few.
    const listCollections = async (signal?: AbortSignal): Promise<string[]> => {
      const all = await store.read(async () => (await store.client()).collections.listAll(), signal);
      return all
        .map(({ name }) => name)
        .filter((name) => name.startsWith(namesBegin) && name.length === namesBegin.length + 32);
    };
    const ensure = async (space: VectorSpace | undefined): Promise<string> => {
      if (space === undefined) throw new Error('rows came without the space of their vectors');
      const name = collectionOf(space);
      if (known.has(name)) return name;
      const { configure } = store.weaviate;
      const { vectorIndex } = configure;
      const vectorIndexConfig =
        indexType === 'flat'
          ? vectorIndex.flat({ distanceMetric: 'cosine' })
          : vectorIndex.hnsw({ distanceMetric: 'cosine', flatSearchCutoff: settings.exact_rows });
      await createCollection(store, name, settings, {
        properties: [],
        vectorizers: configure.vectors.selfProvided({ vectorIndexConfig }),
      });
      known.add(name);
      return name;
    };

    return {
      async apply(tenant, corpusId, space, change) {
        await applyChange(store, tenant, corpusId, change, {
          collections: () => listCollections(),
          target: () => ensure(space),
          propertiesOf: () => ({}),
          // A row with a zero vector has no vector in the store, so no search finds it.
          vectorOf: ({ vector }: VectorRow) => (isZeroVector(vector) ? undefined : [...vector]),
          sizeOf: ({ vector }: VectorRow) => 1000 + vector.length * 4,
        });
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        if (isZeroVector(vector)) return [];
        const found = store.read(async (running) => {
          const collection = await store.of(tenant, collectionOf(space));
          const filters = scopeCondition(store, collection, scope);
          if (filters === undefined) return [];
          const { objects } = await collection.query.nearVector(
            [...vector],
            { filters, limit, returnMetadata: ['distance'], returnProperties: hitProperties as never },
            { abortSignal: running },
          );
          return toHits(objects, ({ distance }) => 1 - (distance as number));
        }, signal);
        return mergeHits([await orMissing([], found)], limit);
      },
      async count(tenant, corpusId, version, signal) {
        const names = await listCollections(signal);
        const counts = names.map((name) => countRows(store, tenant, name, { corpusId, version }, signal));
        return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const names = await listCollections(signal);
        const lists = names.map((name) => listRowKeys(store, tenant, name, { corpusId, after, limit }, signal));
        return (await Promise.all(lists))
          .flat()
          .sort((a, b) => a - b)
          .slice(0, limit);
      },
      // Weaviate needs no maintenance.
      async maintain() {},
      close: () => store.close(),
    };
  },
});
