import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { mergeHits } from '../../stores/index-row.ts';
import { toTerm } from '../../stores/remote/rows.ts';
import { isZeroVector } from '../../stores/unit-vector.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { scopeExpression } from '../vendors/milvus/conditions.ts';
import { checked, connectMilvus, loaded, milvusSettings, orMissing } from '../vendors/milvus/connection.ts';
import {
  applyChange,
  countRows,
  createCollection,
  hasCollection,
  hitFields,
  listRowKeys,
  toHits,
} from '../vendors/milvus/rows.ts';

// Vectors in Milvus, a collection for each space. FLAT compares every vector that passes the conditions, so it is exact; HNSW is for tenants with
// millions of rows.

const indexTypes = ['FLAT', 'HNSW'] as const;

/** Candidates that a search of the graph visits: for each hit, and at least. */
const candidatesPerHit = 4;
const minCandidates = 200;

const vectorSettings = {
  ...milvusSettings,
  index_type: z.enum(indexTypes).describe('Index of new spaces').default('FLAT'),
};

export const adapter = defineAdapter<VectorStore, object, typeof vectorSettings>({
  settings: vectorSettings,
  async create(settings) {
    const indexType = settings.index_type;
    const store = await connectMilvus('vector store', settings, 'retrieval.vector_store');
    const namesBegin = `${settings.prefix}_vectors_`;
    const collectionOf = ({ model, dimensions }: VectorSpace) => `${namesBegin}${toTerm(model, dimensions)}`;
    const known = new Set<string>();

    // Another process may have created some, so every change lists them; there are few.
    const listCollections = async (signal?: AbortSignal): Promise<string[]> => {
      const reply = await store.read(async () => checked(await store.client.showCollections()), signal);
      const names = reply.data.map(({ name }) => name);
      return names.filter((name) => name.startsWith(namesBegin) && name.length === namesBegin.length + 32);
    };
    const ensure = async (space: VectorSpace | undefined): Promise<string> => {
      if (space === undefined) throw new Error('rows came without the space of their vectors');
      const name = collectionOf(space);
      if (known.has(name)) return name;
      await createCollection(
        store,
        name,
        [
          { name: 'is_somewhere', data_type: 'Bool' },
          { name: 'vector', data_type: 'FloatVector', dim: space.dimensions },
        ],
        [
          {
            field_name: 'vector',
            index_type: indexType,
            metric_type: 'COSINE',
            ...(indexType === 'HNSW' ? { params: { M: 32, efConstruction: 360 } } : {}),
          },
        ],
      );
      known.add(name);
      return name;
    };
    // The server needs a vector in every row. A row with a zero vector, which no search finds, gets this one.
    const anywhere = (dimensions: number) => [1, ...new Array<number>(dimensions - 1).fill(0)];

    return {
      async apply(tenant, corpusId, space, change) {
        await applyChange(store, tenant, corpusId, change, {
          collections: () => listCollections(),
          target: () => ensure(space),
          fieldsOf: ({ vector }: VectorRow) => {
            const hasVector = !isZeroVector(vector);
            return { is_somewhere: hasVector, vector: hasVector ? [...vector] : anywhere(vector.length) };
          },
          sizeOf: ({ vector }: VectorRow) => 1000 + vector.length * 4,
        });
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        const visible = scopeExpression(tenant, scope);
        if (visible === undefined || isZeroVector(vector)) return [];
        const collection = collectionOf(space);
        if (!(await hasCollection(store, collection, signal))) return [];
        const filter = `${visible} and is_somewhere == true`;
        const ask = async () => {
          const reply = await store.client.search({
            collection_name: collection,
            anns_field: 'vector',
            data: [...vector],
            filter,
            limit,
            metric_type: 'COSINE',
            output_fields: hitFields,
            ...(indexType === 'HNSW' ? { params: { ef: Math.max(minCandidates, limit * candidatesPerHit) } } : {}),
          });
          return toHits(checked(reply).results as unknown as Record<string, unknown>[]);
        };
        const found = store.read(() => loaded(store, collection, ask), signal);
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
      // Milvus needs no maintenance.
      async maintain() {},
      async close() {
        await store.client.closeConnection();
      },
    };
  },
});
