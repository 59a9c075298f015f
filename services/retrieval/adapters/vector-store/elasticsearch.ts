import type { estypes } from '@elastic/elasticsearch';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Hit, mergeHits, type SearchScope } from '../../stores/index-row.ts';
import { toTerm } from '../../stores/remote/rows.ts';
import { isZeroVector } from '../../stores/unit-vector.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { scopeConditions, versionRows } from '../vendors/elasticsearch/conditions.ts';
import { connectElasticsearch, elasticsearchSettings } from '../vendors/elasticsearch/connection.ts';
import { applyChange, countRows, createIndex, listRowKeys, searchHits } from '../vendors/elasticsearch/rows.ts';

// Vectors as `dense_vector`, an index for each space. If the caller may see few rows, the search compares every vector that passes the
// conditions, so it is exact. Above that it uses the server's HNSW graph, which applies the conditions during the search.

/** The kinds of graphs that a server can build. https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/dense-vector */
const indexTypes = ['hnsw', 'int8_hnsw', 'int4_hnsw', 'bbq_hnsw'] as const;

/** Candidates that each shard visits: for each hit, at least, and at most, which is the server's limit. */
const candidatesPerHit = 10;
const minCandidates = 200;
const maxCandidates = 10_000;

const vectorSettings = {
  ...elasticsearchSettings,
  exact_rows: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe('Rows of the asked corpora up to which a search compares every vector')
    .default(20_000),
  index_type: z.enum(indexTypes).describe('The graph of tenants with more rows than exact_rows').default('int8_hnsw'),
};

export const adapter = defineAdapter<VectorStore, object, typeof vectorSettings>({
  settings: vectorSettings,
  create(settings) {
    const indexType = settings.index_type;
    const elasticsearch = connectElasticsearch('vector store', settings, 'retrieval.vector_store');
    const pattern = `${settings.prefix}-vectors-*`;
    const known = new Set<string>();
    const sizes = new LRUCache<string, number>({ max: 10_000, ttl: 60_000 });
    const indexName = ({ model, dimensions }: VectorSpace) => `${settings.prefix}-vectors-${toTerm(model, dimensions)}`;

    const ensureIndex = async (space: VectorSpace | undefined, again: boolean): Promise<string> => {
      if (space === undefined) throw new Error('rows came without the space of their vectors');
      const index = indexName(space);
      if (known.has(index) && !again) return index;
      await createIndex(elasticsearch, index, settings, {
        properties: {
          vector: {
            type: 'dense_vector',
            dims: space.dimensions,
            index: true,
            similarity: 'cosine',
            index_options: { type: indexType },
          },
        },
      });
      known.add(index);
      return index;
    };

    /** Returns whether the caller may see few enough rows to compare every vector. A count stays valid for a minute. */
    const isSmall = async (tenant: string, index: string, { corpora, aclIds }: SearchScope, signal: AbortSignal) => {
      const key = toTerm(tenant, index, JSON.stringify([corpora, aclIds]));
      const counted = sizes.get(key);
      if (counted !== undefined) return counted <= settings.exact_rows;
      const conditions = scopeConditions(tenant, { corpora, aclIds, filter: undefined });
      const counts = await Promise.all(
        conditions.map((condition) => countRows(elasticsearch, index, tenant, condition, signal)),
      );
      const count = counts.reduce((sum, more) => sum + more, 0);
      sizes.set(key, count);
      return count <= settings.exact_rows;
    };

    return {
      async apply(tenant, corpusId, space, change) {
        await applyChange(elasticsearch, tenant, corpusId, change, {
          pattern,
          indexOf: (again) => ensureIndex(space, again),
          // The server refuses a zero vector: the row has no vector, and no search finds it.
          sourceOf: ({ vector }: VectorRow) => (isZeroVector(vector) ? {} : { vector: [...vector] }),
          sizeOf: ({ vector }: VectorRow) => 1000 + vector.length * 12,
        });
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        const conditions = scopeConditions(tenant, scope);
        if (conditions.length === 0 || isZeroVector(vector)) return [];
        const index = indexName(space);
        const isExact = await isSmall(tenant, index, scope, signal);
        const lists = await Promise.all(
          conditions.map(async (filter): Promise<Hit[]> => {
            const query = isExact ? exactQuery(filter, vector) : graphQuery(filter, vector, limit);
            const hits = await searchHits(elasticsearch, index, tenant, query, limit, signal);
            return hits.map((hit) => ({ ...hit, score: isExact ? hit.score - 1 : hit.score * 2 - 1 }));
          }),
        );
        return mergeHits(lists, limit);
      },
      count: (tenant, corpusId, version, signal) =>
        countRows(elasticsearch, pattern, tenant, versionRows(tenant, corpusId, version), signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        listRowKeys(elasticsearch, pattern, tenant, { corpusId, after, limit }, signal),
      // Elasticsearch merges its segments by itself.
      async maintain() {},
      async close() {
        await elasticsearch.client.close();
      },
    };
  },
});

/** Returns an exact query. Its scores are 1 + cosine, because the server refuses scores below 0. */
function exactQuery(filter: estypes.QueryDslQueryContainer, vector: Float32Array): estypes.QueryDslQueryContainer {
  return {
    script_score: {
      query: { bool: { filter: [filter, { exists: { field: 'vector' } }] } },
      script: { source: "cosineSimilarity(params.vector, 'vector') + 1.0", params: { vector: [...vector] } },
    },
  };
}

/** Returns a query of the graph. Its scores are (1 + cosine) / 2. */
function graphQuery(
  filter: estypes.QueryDslQueryContainer,
  vector: Float32Array,
  limit: number,
): estypes.QueryDslQueryContainer {
  return {
    knn: {
      field: 'vector',
      query_vector: [...vector],
      k: limit,
      num_candidates: Math.min(maxCandidates, Math.max(minCandidates, limit * candidatesPerHit)),
      filter,
    },
  };
}
