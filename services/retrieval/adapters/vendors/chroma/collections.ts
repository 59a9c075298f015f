import { LRUCache } from 'lru-cache';
import type { Where } from './conditions.ts';
import { type ChromaSettings, connectChroma } from './connection.ts';

/** The metadata of a record. */
export type Metadata = Record<string, string | number | boolean>;

/** A record to be written. */
export interface ChromaRecord {
  id: string;
  metadata: Metadata;
  vector: Float32Array<ArrayBuffer>;
}

/** Selects records, and their fields beside the ids. */
export interface GetRequest {
  ids?: string[];
  where?: Where;
  limit?: number;
  offset?: number;
  include?: string[];
}

/** The records of a {@link GetRequest}. */
export interface GetReply {
  ids: string[];
  metadatas?: Metadata[] | null;
  embeddings?: number[][] | null;
}

/** Collections of a page of a listing. */
const pageSize = 500;

/** Returns the operations on the collections of a server. `name` is the store's name in errors. */
export function openChroma(settings: ChromaSettings, name: string) {
  const { send, sendUnless } = connectChroma(settings, name);
  // Ids of collections by database and name. They never change; a dropped collection is looked up again.
  const known = new LRUCache<string, string>({ max: 10_000 });
  /** Returns a request to a collection. */
  const to = (database: string, collection: string, verb: string, body: unknown) =>
    ({ method: 'POST', path: `/${database}/collections/${collection}/${verb}`, body }) as const;

  return {
    /** Returns the id of a collection. Creates the database and the collection if they do not exist. */
    async ensure(database: string, collection: string): Promise<string> {
      await sendUnless(409, { method: 'POST', path: '', body: { name: database } });
      const hnsw = { space: 'cosine', ef_search: settings.ef_search };
      const body = { name: collection, get_or_create: true, configuration: { hnsw } };
      const { id } = await send<{ id: string }>({ method: 'POST', path: `/${database}/collections`, body });
      known.set(`${database}/${collection}`, id);
      return id;
    },

    /** Returns the id of a collection; `undefined` if it does not exist. */
    async find(database: string, collection: string, signal: AbortSignal): Promise<string | undefined> {
      const key = `${database}/${collection}`;
      const id = known.get(key);
      if (id !== undefined) return id;
      const path = `/${database}/collections/${collection}`;
      const found = await sendUnless<{ id: string }>(404, { method: 'GET', path }, signal);
      if (found !== undefined) known.set(key, found.id);
      return found?.id;
    },

    /** Returns the ids of a database's collections. */
    async collections(database: string, signal?: AbortSignal): Promise<string[]> {
      const ids: string[] = [];
      for (;;) {
        const path = `/${database}/collections?limit=${pageSize}&offset=${ids.length}`;
        const page = (await sendUnless<{ id: string }[]>(404, { method: 'GET', path }, signal)) ?? [];
        ids.push(...page.map(({ id }) => id));
        if (page.length < pageSize) return ids;
      }
    },

    /** Returns records; none if the collection was dropped. */
    async get(
      database: string,
      collection: string,
      { include = [], ...request }: GetRequest,
      signal?: AbortSignal,
    ): Promise<GetReply> {
      const reply = await sendUnless<GetReply>(404, to(database, collection, 'get', { ...request, include }), signal);
      if (reply === undefined) known.clear();
      return reply ?? { ids: [] };
    },

    /** Returns the nearest records that pass a condition, with their cosine distance. */
    async query(
      database: string,
      collection: string,
      vector: Float32Array,
      where: Where,
      limit: number,
      signal: AbortSignal,
    ): Promise<{ metadata: Metadata; distance: number }[]> {
      const include = ['metadatas', 'distances'];
      const body = { query_embeddings: [[...vector]], n_results: limit, where, include };
      const reply = await send<{ metadatas?: Metadata[][]; distances?: number[][] }>(
        to(database, collection, 'query', body),
        signal,
      );
      const distances = reply.distances?.[0] ?? [];
      return (reply.metadatas?.[0] ?? []).map((metadata, index) => ({ metadata, distance: distances[index] ?? 2 }));
    },

    async upsert(database: string, collection: string, records: readonly ChromaRecord[]): Promise<void> {
      const ids = records.map(({ id }) => id);
      const metadatas = records.map(({ metadata }) => metadata);
      const embeddings = records.map(({ vector }) => [...vector]);
      await send(to(database, collection, 'upsert', { ids, metadatas, embeddings }));
    },

    /** Sets the fields of `metadata`; other fields stay. */
    async update(database: string, collection: string, ids: readonly string[], metadata: Metadata): Promise<void> {
      await send(to(database, collection, 'update', { ids, metadatas: ids.map(() => metadata) }));
    },

    async remove(database: string, collection: string, ids: readonly string[]): Promise<void> {
      await send(to(database, collection, 'delete', { ids }));
    },
  };
}

/** The operations on the collections of a server. */
export type Chroma = ReturnType<typeof openChroma>;
