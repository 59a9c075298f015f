import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { toTerm } from '../../stores/remote/rows.ts';
import { isZeroVector } from '../../stores/unit-vector.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { vectorName } from '../vendors/qdrant/changes.ts';
import type { CollectionParams } from '../vendors/qdrant/collections.ts';
import { qdrantSettings } from '../vendors/qdrant/connection.ts';
import { openQdrant } from '../vendors/qdrant/rows.ts';

// Vectors in Qdrant: a collection for each space, shared by the tenants. Each tenant has a graph of its own, so a search never visits rows of
// another tenant.

const settings = {
  ...qdrantSettings,
  exact_rows: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe('A tenant with at most so many rows in a space is searched exactly; one with more by the graph')
    .default(20_000),
  hnsw_ef: z
    .int()
    .min(16)
    .max(4096)
    .describe('Rows that a search by the graph keeps in view: more finds more, and takes longer')
    .default(256),
};

/** How long a tenant's size stays valid. It only decides between the exact search and the graph. */
const sizeTtlMs = 30_000;

export const adapter = defineAdapter<VectorStore, object, typeof settings>({
  settings,
  create(given) {
    const qdrant = openQdrant(given, 'vector store');
    const prefix = `${given.prefix}_vectors_`;
    const nameOf = ({ model, dimensions }: VectorSpace) => `${prefix}${dimensions}_${toTerm(model, dimensions)}`;
    const sizes = new LRUCache<string, number>({ max: 10_000, ttl: sizeTtlMs });

    const isSmall = async (collection: string, tenant: string, signal: AbortSignal): Promise<boolean> => {
      const key = `${collection} ${tenant}`;
      const known = sizes.get(key);
      const size = known ?? (await qdrant.estimate(collection, tenant, signal));
      if (known === undefined) sizes.set(key, size);
      return size <= given.exact_rows;
    };
    return {
      async apply(tenant, corpusId, space, change) {
        const hasRows = change.kind === 'replace' && change.rows.length > 0;
        if (hasRows && space === undefined) throw new Error('vectors came without their space');
        const target = hasRows && space !== undefined ? nameOf(space) : undefined;
        // A document may have rows in another space, from an older version or one that was begun again.
        for (const collection of await qdrant.collections(prefix)) {
          if (collection === target) continue;
          const others = change.kind === 'replace' ? { ...change, rows: [] } : change;
          await qdrant.apply(collection, tenant, corpusId, others, undefined);
        }
        if (target === undefined || space === undefined) return;
        await qdrant.apply(target, tenant, corpusId, change, { params: paramsOf(space), toVector });
        sizes.delete(`${target} ${tenant}`);
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        const collection = nameOf(space);
        const isExact = await isSmall(collection, tenant, signal);
        const params = isExact ? { exact: true } : { hnsw_ef: given.hnsw_ef };
        return qdrant.search(collection, tenant, { query: [...vector], scope, limit, params }, signal);
      },
      async count(tenant, corpusId, version, signal) {
        const collections = await qdrant.collections(prefix, signal);
        const counts = collections.map((name) => qdrant.count(name, tenant, corpusId, version, signal));
        return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const collections = await qdrant.collections(prefix, signal);
        const lists = collections.map((name) => qdrant.listKeys(name, tenant, corpusId, after, limit, signal));
        return (await Promise.all(lists))
          .flat()
          .sort((a, b) => a - b)
          .slice(0, limit);
      },
      // Qdrant needs no maintenance.
      async maintain() {},
      async close() {},
    };
  },
});

const toVector = ({ vector }: VectorRow): number[] | undefined => (isZeroVector(vector) ? undefined : [...vector]);

function paramsOf({ dimensions }: VectorSpace): CollectionParams {
  return {
    vectors: { [vectorName]: { size: dimensions, distance: 'Cosine' } },
    // A graph for each tenant, none over all (https://qdrant.tech/documentation/guides/multitenancy/).
    hnsw_config: { m: 0, payload_m: 16 },
  };
}
