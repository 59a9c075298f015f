import { QdrantClient } from '@qdrant/js-client-rest';
import { z } from 'zod';
import { unavailable } from '#kit/base/errors.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import {
  type Change,
  forever,
  type Hit,
  type IndexRow,
  mergeHits,
  type SearchScope,
} from '../../../stores/index-row.ts';
import { createRemoteCalls, httpError } from '../../../stores/remote/calls.ts';
import {
  attributeTerms,
  changedColumn,
  changeSteps,
  chunksOf,
  columnNames,
  toTerm,
} from '../../../stores/remote/rows.ts';
import { type Condition, corpusFilter, scopeFilter, stepFilter, tenantFilter } from './conditions.ts';

// Rows in Qdrant: what the vector and the keyword adapter share. Tenants share a collection, as Qdrant advises; their
// rows are apart by a payload field that every request of this file names, and by ids that are made from the tenant.

/** Settings of both adapters. */
export const qdrantSettings = {
  url: z.string().default('http://127.0.0.1:6333'),
  api_key: secret().default(''),
  prefix: z.string().describe('Begins the names of collections').default('ragmesh'),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a request').default(10_000),
  replicas: z.int().min(1).max(16).describe('Copies of each shard, for a cluster').default(1),
};

type Api = ReturnType<QdrantClient['api']>;

/** What a collection is made with. */
export type CollectionParams = Omit<Parameters<Api['createCollection']>[0], 'collection_name' | 'timeout'>;

/** A vector of a point; `undefined`: the point counts, and no search finds it. */
export type PointVector = number[] | { indices: number[]; values: number[] } | undefined;

/** How a collection is searched. */
export interface PointQuery {
  query: Exclude<PointVector, undefined>;
  scope: SearchScope;
  limit: number;
  params: NonNullable<Parameters<Api['queryPoints']>[0]['params']>;
}

/** The only name of a vector in a collection. */
export const vectorName = 'chunk';

/** Points that a request writes. */
const maxPoints = 256;

/** Numbers in the vectors of a request; a server takes 32 MB unless told otherwise, and a number takes up to 25 bytes. */
const maxNumbers = 500_000;

/** Keys of a page. */
const maxKeys = 5000;

const integer = { type: 'integer', lookup: true, range: true } as const;
const term = { type: 'integer', lookup: true, range: false } as const;

/** Fields that conditions name. Without their indices a strict server refuses such conditions. */
const indexedFields = {
  tenant: { type: 'keyword', is_tenant: true },
  corpus_id: term,
  key: integer,
  acl_id: term,
  added_in: integer,
  removed_in: integer,
  language: term,
  updated_ms: integer,
  document_id: 'keyword',
  attributes: 'keyword',
} as const;

/** Opens a server. `name`: of the store, for errors. */
export function openQdrant(settings: Settings<typeof qdrantSettings>, name: string) {
  const client = new QdrantClient({
    url: settings.url,
    ...(settings.api_key !== '' && { apiKey: settings.api_key }),
    // Deadlines are ours: the client's own would take the place of the signal.
    timeout: Number.POSITIVE_INFINITY,
    checkCompatibility: false,
  });
  const api = client.api();
  const call = createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError: (thrown) => toError(name, thrown) });
  const made = new Map<string, Promise<void>>();

  /** Makes the collection and its indices where they are not there. */
  const make = async (collection_name: string, params: CollectionParams): Promise<void> => {
    const { data } = await call((signal) => api.collectionExists({ collection_name }, { signal }));
    if (data.result?.exists !== true) {
      const wanted = { ...params, replication_factor: settings.replicas };
      await call(async (signal) => {
        try {
          await api.createCollection({ collection_name, ...wanted }, { signal });
        } catch (error) {
          // Another process was faster.
          if (statusOf(error) !== 409) throw error;
        }
      });
    }
    for (const [field_name, field_schema] of Object.entries(indexedFields)) {
      await call((signal) =>
        api.createFieldIndex({ collection_name, field_name, field_schema, wait: true }, { signal }),
      );
    }
  };
  const ensure = (collection: string, params: CollectionParams): Promise<void> => {
    let making = made.get(collection);
    if (making === undefined) {
      making = make(collection, params);
      made.set(collection, making);
      making.catch(() => made.delete(collection));
    }
    return making;
  };

  /** What `read` gives; `absent` where the collection does not exist. */
  const orAbsent = async <T>(absent: T, read: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    call(async (ends) => {
      try {
        return await read(ends);
      } catch (error) {
        if (statusOf(error) === 404) return absent;
        throw error;
      }
    }, signal);

  return {
    /** Names of the collections that begin with `prefix`. */
    async collections(prefix: string, signal?: AbortSignal): Promise<string[]> {
      const { data } = await call((ends) => api.getCollections({}, { signal: ends }), signal);
      return (data.result?.collections ?? [])
        .map(({ name: found }) => found)
        .filter((found) => found.startsWith(prefix));
    },

    /** The server's version. */
    async version(): Promise<string> {
      const { data } = await call((signal) => api.root({}, { signal }));
      return data.version ?? '';
    },

    /**
     * Carries out a change in a collection. `params` makes it where rows come and it is not there; where nothing comes, a
     * collection that is not there has nothing to change.
     */
    async apply<R extends IndexRow>(
      collection_name: string,
      tenant: string,
      corpusId: number,
      change: Change<R>,
      rows: { params: CollectionParams; toVector(row: R): PointVector } | undefined,
    ): Promise<void> {
      const ordering = 'strong';
      for (const step of changeSteps(corpusId, change)) {
        if (step.kind === 'delete') {
          const filter = stepFilter(tenant, step.where);
          await orAbsent(undefined, async (signal) => {
            await api.deletePoints({ collection_name, wait: true, ordering, filter }, { signal });
          });
        } else if (step.kind === 'set') {
          const filter = stepFilter(tenant, step.where);
          const payload = Object.fromEntries([changedColumn(step.field, columnNames)]);
          await orAbsent(undefined, async (signal) => {
            await api.setPayload({ collection_name, wait: true, ordering, payload, filter }, { signal });
          });
        } else if (rows !== undefined) {
          const points = step.rows.map((row) => toPoint(tenant, corpusId, step.version, row, rows.toVector(row)));
          for (const part of chunksOf(points, maxPoints, maxNumbers, sizeOf)) {
            const upsert = () =>
              orAbsent(false, async (signal) => {
                await api.upsertPoints({ collection_name, wait: true, ordering, points: part }, { signal });
                return true;
              });
            await ensure(collection_name, rows.params);
            if (await upsert()) continue;
            // The server has lost what this process made.
            made.delete(collection_name);
            await ensure(collection_name, rows.params);
            if (!(await upsert())) throw unavailable(name, `the ${name} loses its collections`);
          }
        }
      }
    },

    /** The best points of a scope. */
    async search(
      collection_name: string,
      tenant: string,
      { query, scope, limit, params }: PointQuery,
      signal: AbortSignal,
    ): Promise<Hit[]> {
      if (scope.aclIds.length === 0 || scope.corpora.length === 0) return [];
      const filter = scopeFilter(tenant, scope);
      const with_payload = ['key', 'chunk_id', 'document_id'];
      const wanted = { query, using: vectorName, filter, limit, params, with_payload };
      const points = await orAbsent(
        [],
        async (ends) => {
          const { data } = await api.queryPoints({ collection_name, ...wanted }, { signal: ends });
          return data.result?.points ?? [];
        },
        signal,
      );
      const hits = points.map(({ payload, score }): Hit => {
        const { key, chunk_id, document_id } = payload as Record<string, unknown>;
        return { key: Number(key), chunkId: String(chunk_id), documentId: String(document_id), score };
      });
      return mergeHits([hits], limit);
    },

    /** Points of a tenant, about. */
    async estimate(collection_name: string, tenant: string, signal: AbortSignal): Promise<number> {
      return countPoints(collection_name, tenantFilter(tenant, []), false, signal);
    },

    /** Points of a version. */
    async count(
      collection_name: string,
      tenant: string,
      corpusId: number,
      version: number,
      signal: AbortSignal,
    ): Promise<number> {
      return countPoints(collection_name, corpusFilter(tenant, corpusId, { version }), true, signal);
    },

    /** Keys of a corpus above `after`, ascending. */
    async listKeys(
      collection_name: string,
      tenant: string,
      corpusId: number,
      after: number,
      limit: number,
      signal: AbortSignal,
    ): Promise<number[]> {
      const keys: number[] = [];
      while (keys.length < limit) {
        const filter = corpusFilter(tenant, corpusId, { after: keys.at(-1) ?? after });
        const page = Math.min(limit - keys.length, maxKeys);
        const wanted = { filter, limit: page, order_by: { key: 'key' }, with_payload: ['key'], with_vector: false };
        const found = await orAbsent(
          [],
          async (ends) => {
            const { data } = await api.scrollPoints({ collection_name, ...wanted }, { signal: ends });
            return data.result?.points ?? [];
          },
          signal,
        );
        keys.push(...found.map(({ payload }) => Number((payload as Record<string, unknown>).key)));
        if (found.length < page) break;
      }
      return keys;
    },
  };

  async function countPoints(
    collection_name: string,
    filter: { must: Condition[] },
    exact: boolean,
    signal: AbortSignal,
  ): Promise<number> {
    return orAbsent(
      0,
      async (ends) => {
        const { data } = await api.countPoints({ collection_name, filter, exact }, { signal: ends });
        return data.result?.count ?? 0;
      },
      signal,
    );
  }
}

/** A row as a point. Its id holds the tenant, so that no tenant's write meets another's row. */
function toPoint(tenant: string, corpusId: number, version: number, row: IndexRow, vector: PointVector) {
  const { key, aclId, language, updatedMs, documentId, chunkId } = row;
  return {
    id: toTerm(tenant, key).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    vector: vector === undefined ? {} : { [vectorName]: vector },
    payload: {
      tenant,
      corpus_id: corpusId,
      key,
      acl_id: aclId,
      added_in: version,
      removed_in: forever,
      language,
      ...(updatedMs !== undefined && { updated_ms: updatedMs }),
      document_id: documentId,
      chunk_id: chunkId,
      attributes: attributeTerms(row),
    },
  };
}

function sizeOf({ vector }: ReturnType<typeof toPoint>): number {
  const numbers = vector[vectorName];
  if (numbers === undefined) return 0;
  return Array.isArray(numbers) ? numbers.length : numbers.indices.length * 2;
}

/** The HTTP status of an error of the client; `undefined` where no reply came. */
function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as { status?: unknown }).status;
  return typeof status === 'number' ? status : undefined;
}

/** The client's errors: a reply that says no has a status, and `fetch` throws a TypeError without one. */
function toError(name: string, thrown: unknown): unknown {
  const status = statusOf(thrown);
  if (status !== undefined) return httpError(name, status, thrown);
  const isOverloaded = thrown instanceof Error && thrown.name === 'QdrantClientResourceExhaustedError';
  if (isOverloaded) return httpError(name, 429, thrown);
  return thrown instanceof TypeError ? httpError(name, undefined, thrown) : thrown;
}
