import { defineAdapter } from '#kit/host/config/adapters.ts';
import { changeSteps, toTerm } from '../../stores/remote/rows.ts';
import { isZeroVector } from '../../stores/unit-vector.ts';
import type { VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { openStoreRedis, searchRedisSettings } from '../vendors/redis/connection.ts';
import { openSearchRows } from '../vendors/redis/search-rows.ts';

// Vectors in RediSearch: a field of the index for each space. A search compares every row that passes its conditions, so it is exact, and its
// cost grows with their number.

export const adapter = defineAdapter<VectorStore, object, typeof searchRedisSettings>({
  settings: searchRedisSettings,
  async create(given) {
    const redis = await openStoreRedis(given, 'vector store');
    const prefix = `${given.key_prefix}ft-vectors`;
    const rows = openSearchRows(redis, prefix, [], given.timeout_ms);
    const fieldOf = ({ model, dimensions }: VectorSpace) => `vector_${toTerm(model, dimensions)}`;
    const spacesKey = `${prefix}:spaces`;
    const known = new Set<string>();

    /** Returns whether the index has a field; a query by a field that does not exist is an error. */
    const hasField = async (field: string, signal: AbortSignal): Promise<boolean> => {
      if (known.has(field)) return true;
      const [isMember] = await redis.read([['SISMEMBER', spacesKey, field]], signal);
      if (Number(isMember) === 1) known.add(field);
      return known.has(field);
    };
    return {
      async apply(tenant, corpusId, space, change) {
        let field = '';
        if (change.kind === 'replace' && change.rows.length > 0) {
          if (space === undefined) throw new Error('vectors came without their space');
          field = fieldOf(space);
          const vector = ['TYPE', 'FLOAT32', 'DIM', String(space.dimensions), 'DISTANCE_METRIC', 'COSINE'];
          await rows.ensure([field, 'VECTOR', 'FLAT', String(vector.length), ...vector]);
          await redis.write([['SADD', spacesKey, field]]);
        }
        for (const step of changeSteps(corpusId, change)) {
          await rows.step(tenant, corpusId, step, ({ vector }) =>
            !isZeroVector(vector)
              ? { [field]: Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength) }
              : ({} as Record<string, Buffer>),
          );
        }
        await redis.flush();
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        const field = fieldOf(space);
        if (!(await hasField(field, signal))) return [];
        const question = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
        const nearest = `[KNN ${limit} @${field} $question HYBRID_POLICY ADHOC_BF AS ranked]`;
        return rows.search(
          tenant,
          {
            toQuery: (conditions) => `(${conditions})=>${nearest}`,
            args: ['PARAMS', 2, 'question', question, 'SORTBY', 'ranked'],
            scope,
            limit,
            toScore: (_score, distance) => 1 - distance,
          },
          signal,
        );
      },
      count: (tenant, corpusId, version, signal) => rows.count(tenant, corpusId, version, signal),
      listKeys: (tenant, corpusId, after, limit, signal) => rows.listKeys(tenant, corpusId, after, limit, signal),
      // RediSearch needs no maintenance.
      async maintain() {},
      close: () => redis.close(),
    };
  },
});
