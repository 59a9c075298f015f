import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Hit, mergeHits } from '../../stores/index-row.ts';
import { chunksOf, toTerm } from '../../stores/remote/rows.ts';
import type { VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { type Chroma, openChroma } from '../vendors/chroma/collections.ts';
import { scopeWhere, versionWhere, type Where } from '../vendors/chroma/conditions.ts';
import { chromaSettings } from '../vendors/chroma/connection.ts';
import { applyChange, listIds, listKeysInOrder, maxRows, toHit } from '../vendors/chroma/rows.ts';

// Vectors in Chroma: a database for each tenant, so that the path of a request names the tenant, and in it a collection for each space.

const settings = {
  ...chromaSettings,
  exact_rows: z
    .int()
    .min(0)
    .max(100_000)
    .describe(
      `A search whose conditions leave at most so many rows compares them here, since Chroma's graph would miss some`,
    )
    .default(100),
};

/** Values of one condition; Chroma's database accepts some thousands. */
const maxNamed = 4000;

export const adapter = defineAdapter<VectorStore, object, typeof settings>({
  settings,
  create(given) {
    const chroma = openChroma(given, 'vector store');
    const databaseOf = (tenant: string) => `${given.prefix}-${toTerm(tenant)}`;
    const nameOf = ({ model, dimensions }: VectorSpace) => `space-${toTerm(model, dimensions)}`;

    return {
      async apply(tenant, corpusId, space, change) {
        const database = databaseOf(tenant);
        let target: string | undefined;
        if (change.kind === 'replace' && change.rows.length > 0) {
          if (space === undefined) throw new Error('vectors came without their space');
          target = await chroma.ensure(database, nameOf(space));
        }
        await applyChange(chroma, database, target, corpusId, change);
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        if (scope.aclIds.length === 0 || scope.corpora.length === 0) return [];
        const database = databaseOf(tenant);
        const collection = await chroma.find(database, nameOf(space), signal);
        if (collection === undefined) return [];
        const parts = chunksOf(scope.aclIds, maxNamed).map((aclIds) => {
          const query = { vector, where: scopeWhere({ ...scope, aclIds }), limit, exactRows: given.exact_rows };
          return searchNearest(chroma, database, collection, query, signal);
        });
        return mergeHits(await Promise.all(parts), limit);
      },
      async count(tenant, corpusId, version, signal) {
        const database = databaseOf(tenant);
        const where = versionWhere(corpusId, version);
        let total = 0;
        for (const collection of await chroma.collections(database, signal)) {
          for await (const ids of listIds(chroma, database, collection, where, signal)) total += ids.length;
        }
        return total;
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const database = databaseOf(tenant);
        const keys: number[] = [];
        for (const collection of await chroma.collections(database, signal)) {
          keys.push(...(await listKeysInOrder(chroma, database, collection, { corpusId, after, limit }, signal)));
        }
        return keys.sort((a, b) => a - b).slice(0, limit);
      },
      // Chroma needs no maintenance.
      async maintain() {},
      async close() {},
    };
  },
});

/** Returns the best rows of a collection under a condition: exactly if at most `exactRows` pass it, otherwise by the graph. */
async function searchNearest(
  chroma: Chroma,
  database: string,
  collection: string,
  { vector, where, limit, exactRows }: { vector: Float32Array; where: Where; limit: number; exactRows: number },
  signal: AbortSignal,
): Promise<Hit[]> {
  const few = await chroma.get(database, collection, { where, limit: exactRows + 1 }, signal);
  if (few.ids.length === 0) return [];
  if (few.ids.length > exactRows) {
    const found = await chroma.query(database, collection, vector, where, limit, signal);
    return found.map(({ metadata, distance }) => toHit(metadata, 1 - distance));
  }
  const include = ['metadatas', 'embeddings'];
  const parts = chunksOf(few.ids, maxRows).map(async (ids) => {
    const { metadatas, embeddings } = await chroma.get(database, collection, { ids, where, include }, signal);
    return (metadatas ?? []).map((metadata, index) => toHit(metadata, cosine(embeddings?.[index] ?? [], vector)));
  });
  return (await Promise.all(parts)).flat();
}

/** Returns the cosine of two vectors of length 1. */
function cosine(stored: readonly number[], question: Float32Array): number {
  let sum = 0;
  for (const [index, component] of stored.entries()) sum += component * (question[index] as number);
  return sum;
}
