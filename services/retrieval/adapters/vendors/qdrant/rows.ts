import type { Settings } from '#kit/host/config/adapter-settings.ts';
import { type Change, type Hit, type IndexRow, mergeHits, type SearchScope } from '../../../stores/index-row.ts';
import { applyChange, type PointRows, type PointVector, vectorName } from './changes.ts';
import { createCollections } from './collections.ts';
import { type Condition, corpusFilter, scopeFilter, tenantFilter } from './conditions.ts';
import { connectQdrant, type QdrantApi, type qdrantSettings } from './connection.ts';

// Rows in Qdrant, shared by the vector and the keyword adapter. Tenants share a collection, as Qdrant recommends. Their rows are separated by
// a payload field that every filter names, and by ids that include the tenant.

/** A search of a collection. */
export interface PointQuery {
  query: Exclude<PointVector, undefined>;
  scope: SearchScope;
  limit: number;
  params: NonNullable<Parameters<QdrantApi['queryPoints']>[0]['params']>;
}

/** Keys of a page. */
const maxKeys = 5000;

/** Returns the operations on the rows of a server. `name` is the store's name in errors. */
export function openQdrant(settings: Settings<typeof qdrantSettings>, name: string) {
  const connection = connectQdrant(settings, name);
  const { api, call, orAbsent } = connection;
  const collections = createCollections(connection);

  const countPoints = (
    collection_name: string,
    filter: { must: Condition[] },
    exact: boolean,
    signal: AbortSignal,
  ): Promise<number> =>
    orAbsent(
      0,
      async (running) => {
        const { data } = await api.countPoints({ collection_name, filter, exact }, { signal: running });
        return data.result?.count ?? 0;
      },
      signal,
    );

  return {
    /** Returns the names of the collections that begin with `prefix`. */
    async collections(prefix: string, signal?: AbortSignal): Promise<string[]> {
      const { data } = await call((running) => api.getCollections({}, { signal: running }), signal);
      const names = (data.result?.collections ?? []).map((collection) => collection.name);
      return names.filter((found) => found.startsWith(prefix));
    },

    /** Returns the server's version. */
    async version(): Promise<string> {
      const { data } = await call((signal) => api.root({}, { signal }));
      return data.version ?? '';
    },

    /** Applies a change in a collection. See {@link applyChange}. */
    apply: <R extends IndexRow>(
      collection: string,
      tenant: string,
      corpusId: number,
      change: Change<R>,
      rows: PointRows<R> | undefined,
    ) => applyChange(connection, collections, { collection, tenant, corpusId }, change, rows),

    /** Returns the best rows of a scope. */
    async search(
      collection_name: string,
      tenant: string,
      { query, scope, limit, params }: PointQuery,
      signal: AbortSignal,
    ): Promise<Hit[]> {
      if (scope.aclIds.length === 0 || scope.corpora.length === 0) return [];
      const with_payload = ['key', 'chunk_id', 'document_id'];
      const filter = scopeFilter(tenant, scope);
      const request = { collection_name, query, using: vectorName, filter, limit, params, with_payload };
      const points = await orAbsent(
        [],
        async (running) => (await api.queryPoints(request, { signal: running })).data.result?.points ?? [],
        signal,
      );
      const hits = points.map(({ payload, score }): Hit => {
        const { key, chunk_id, document_id } = payload as Record<string, unknown>;
        return { key: Number(key), chunkId: String(chunk_id), documentId: String(document_id), score };
      });
      return mergeHits([hits], limit);
    },

    /** Returns the approximate number of a tenant's rows. */
    estimate: (collection: string, tenant: string, signal: AbortSignal) =>
      countPoints(collection, tenantFilter(tenant, []), false, signal),

    /** Returns the number of rows of a version. */
    count: (collection: string, tenant: string, corpusId: number, version: number, signal: AbortSignal) =>
      countPoints(collection, corpusFilter(tenant, corpusId, { version }), true, signal),

    /** Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. */
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
        const order = { order_by: { key: 'key' }, with_payload: ['key'], with_vector: false };
        const request = { collection_name, filter, limit: page, ...order };
        const found = await orAbsent(
          [],
          async (running) => (await api.scrollPoints(request, { signal: running })).data.result?.points ?? [],
          signal,
        );
        keys.push(...found.map(({ payload }) => Number((payload as Record<string, unknown>).key)));
        if (found.length < page) break;
      }
      return keys;
    },
  };
}
