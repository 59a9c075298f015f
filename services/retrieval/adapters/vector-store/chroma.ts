import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { forever, type Hit, mergeHits, type RowFilter, type SearchScope } from '../../stores/index-row.ts';
import {
  byVersion,
  changedColumn,
  changeSteps,
  chunksOf,
  isSomewhere,
  type RowCondition,
  toTerm,
} from '../../stores/remote/rows.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import { chromaSettings, type Metadata, openChroma, type Where } from '../vendors/chroma/connection.ts';

// Vectors in Chroma: a database for each tenant, so that a request's path names whose rows it can reach, and in it a
// collection for each space.

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

/** Rows that a request writes or reads. */
const maxRows = 200;
const pageSize = 1000;

/** Values that a condition names; Chroma's database takes some thousands. */
const maxNamed = 4000;

/** Keys that a window of a listing gives, as a multiple of what is wanted; and how fast windows grow and shrink. */
const maxWindow = 4;

export const adapter = defineAdapter<VectorStore, object, typeof settings>({
  settings,
  create(given) {
    const chroma = openChroma(given, 'vector store');
    const databaseOf = (tenant: string) => `${given.prefix}-${toTerm(tenant)}`;
    const nameOf = ({ model, dimensions }: VectorSpace) => `space-${toTerm(model, dimensions)}`;

    /** Ids of all rows that pass a condition, in pages. */
    const pages = async function* (database: string, collection: string, where: Where, signal?: AbortSignal) {
      for (let offset = 0; ; offset += pageSize) {
        const { ids } = await chroma.get(database, collection, { where, limit: pageSize, offset }, signal);
        if (ids.length > 0) yield ids;
        if (ids.length < pageSize) return;
      }
    };
    /** The best rows of one collection under a condition. */
    const nearest = async (
      database: string,
      collection: string,
      vector: Float32Array,
      where: Where,
      limit: number,
      signal: AbortSignal,
    ): Promise<Hit[]> => {
      const few = await chroma.get(database, collection, { where, limit: given.exact_rows + 1 }, signal);
      if (few.ids.length === 0) return [];
      if (few.ids.length > given.exact_rows) {
        const found = await chroma.query(database, collection, vector, where, limit, signal);
        return found.map(({ metadata, distance }) => toHit(metadata, 1 - distance));
      }
      const include = ['metadatas', 'embeddings'];
      const parts = chunksOf(few.ids, maxRows).map(async (ids) => {
        const { metadatas, embeddings } = await chroma.get(database, collection, { ids, where, include }, signal);
        return (metadatas ?? []).map((metadata, index) => toHit(metadata, cosine(embeddings?.[index] ?? [], vector)));
      });
      return (await Promise.all(parts)).flat();
    };

    return {
      async apply(tenant, corpusId, space, change) {
        const database = databaseOf(tenant);
        let target: string | undefined;
        if (change.kind === 'replace' && change.rows.length > 0) {
          if (space === undefined) throw new Error('vectors came without their space');
          target = await chroma.ensure(database, nameOf(space));
        }
        const collections = await chroma.collections(database);
        for (const step of changeSteps(corpusId, change)) {
          if (step.kind === 'insert') {
            if (target === undefined) throw new Error('rows came without their collection');
            for (const rows of chunksOf(step.rows, maxRows)) {
              await chroma.upsert(
                database,
                target,
                rows.map((row) => toRecord(row, corpusId, step.version)),
              );
            }
            continue;
          }
          const changed =
            step.kind === 'set'
              ? Object.fromEntries([changedColumn(step.field, { removedIn: 'removed', aclId: 'acl' })])
              : {};
          for (const collection of collections) {
            // All ids first: a change moves the pages that follow.
            const found: string[] = [];
            for await (const ids of pages(database, collection, stepWhere(step.where))) found.push(...ids);
            for (const ids of chunksOf(found, maxRows)) {
              if (step.kind === 'delete') await chroma.remove(database, collection, ids);
              else await chroma.update(database, collection, ids, changed);
            }
          }
        }
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        if (scope.aclIds.length === 0 || scope.corpora.length === 0) return [];
        const database = databaseOf(tenant);
        const collection = await chroma.find(database, nameOf(space), signal);
        if (collection === undefined) return [];
        const parts = chunksOf(scope.aclIds, maxNamed).map((aclIds) =>
          nearest(database, collection, vector, scopeWhere({ ...scope, aclIds }), limit, signal),
        );
        return mergeHits(await Promise.all(parts), limit);
      },
      async count(tenant, corpusId, version, signal) {
        const database = databaseOf(tenant);
        let total = 0;
        for (const collection of await chroma.collections(database, signal)) {
          const where = { $and: [{ corpus: corpusId }, ...atVersion(version)] };
          for await (const ids of pages(database, collection, where, signal)) total += ids.length;
        }
        return total;
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const database = databaseOf(tenant);
        const keys: number[] = [];
        for (const collection of await chroma.collections(database, signal)) {
          keys.push(...(await listOrdered(database, collection, corpusId, after, limit, signal)));
        }
        return keys.sort((a, b) => a - b).slice(0, limit);
      },
      // Chroma tidies up by itself.
      async maintain() {},
      async close() {},
    };

    /**
     * Chroma gives rows in no order, so keys are read window by window: a wider one where there was nothing, a narrower
     * one where there is too much.
     */
    async function listOrdered(
      database: string,
      collection: string,
      corpusId: number,
      after: number,
      limit: number,
      signal: AbortSignal,
    ): Promise<number[]> {
      const most = limit * maxWindow;
      const keys: number[] = [];
      let from = after;
      for (let width = limit; keys.length < limit; ) {
        const conditions = [{ corpus: corpusId }, { key: { $gt: from } }];
        const window = { $and: [...conditions, { key: { $lte: from + width } }] };
        const { ids } = await chroma.get(database, collection, { where: window, limit: most + 1 }, signal);
        if (ids.length > most && width > most) {
          width = Math.ceil(width / maxWindow);
          continue;
        }
        from += width;
        keys.push(...ids.map(Number).sort((a, b) => a - b));
        if (ids.length > 0) continue;
        width *= maxWindow;
        const above = { $and: conditions };
        if ((await chroma.get(database, collection, { where: above, limit: 1 }, signal)).ids.length === 0) break;
      }
      return keys.slice(0, limit);
    }
  },
});

/** A row as Chroma keeps it. One without a vector has a stand-in and says so: no search asks for it. */
function toRecord(row: VectorRow, corpusId: number, version: number) {
  const { key, aclId, language, updatedMs, documentId, chunkId, attributes, vector } = row;
  const hasVector = isSomewhere(vector);
  const metadata: Metadata = {
    key,
    corpus: corpusId,
    acl: aclId,
    added: version,
    removed: forever,
    language,
    document: documentId,
    chunk: chunkId,
    has_vector: hasVector,
    ...(updatedMs !== undefined && { updated: updatedMs }),
    ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [attributeField(name), toTerm(value)])),
  };
  return { id: String(key), metadata, vector: hasVector ? vector : vector.map((_, index) => (index === 0 ? 1 : 0)) };
}

const attributeField = (name: string) => `a_${toTerm(name)}`;

function toHit({ key, chunk, document }: Metadata, score: number): Hit {
  return { key: Number(key), chunkId: String(chunk), documentId: String(document), score };
}

/** Of vectors of length 1. */
function cosine(stored: readonly number[], question: Float32Array): number {
  let sum = 0;
  for (const [index, component] of stored.entries()) sum += component * (question[index] as number);
  return sum;
}

const atVersion = (version: number): Where[] => [{ added: { $lte: version } }, { removed: { $gt: version } }];

/** Rows that a step of a change touches. A condition of Chroma's joins two at least. */
function stepWhere({ corpusId, documentIds, keys, addedIn, removedIn, aclIdNot }: RowCondition): Where {
  const conditions: Where[] = [{ corpus: corpusId }];
  if (documentIds !== undefined) conditions.push({ document: { $in: documentIds } });
  if (keys !== undefined) conditions.push({ key: { $in: keys } });
  if (addedIn !== undefined) conditions.push({ added: { $gte: addedIn[0] } }, { added: { $lte: addedIn[1] } });
  if (removedIn !== undefined)
    conditions.push({ removed: { $gte: removedIn[0] } }, { removed: { $lte: removedIn[1] } });
  if (aclIdNot !== undefined) conditions.push({ acl: { $ne: aclIdNot } });
  return { $and: conditions };
}

/** Rows that a query may see. */
function scopeWhere({ corpora, aclIds, filter }: SearchScope): Where {
  const versions = byVersion(corpora).map(({ version, corpusIds }) => ({
    $and: [{ corpus: { $in: corpusIds } }, ...atVersion(version)],
  }));
  const among = versions.length === 1 ? (versions[0] as Where) : { $or: versions };
  const conditions = filter === undefined ? [] : filterWhere(filter);
  return { $and: [{ acl: { $in: aclIds } }, { has_vector: true }, among, ...conditions] };
}

function filterWhere({ documentIds, languages, attributes, updatedFromMs, updatedBeforeMs }: RowFilter): Where[] {
  const conditions: Where[] = attributes.map(({ name, values }) => ({
    [attributeField(name)]: { $in: values.map((value) => toTerm(value)) },
  }));
  if (documentIds.length > 0) conditions.push({ document: { $in: documentIds } });
  if (languages.length > 0) conditions.push({ language: { $in: languages } });
  if (updatedFromMs !== undefined) conditions.push({ updated: { $gte: updatedFromMs } });
  if (updatedBeforeMs !== undefined) conditions.push({ updated: { $lt: updatedBeforeMs } });
  return conditions;
}
