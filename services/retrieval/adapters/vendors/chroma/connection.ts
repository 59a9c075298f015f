import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls, httpError } from '../../../stores/remote/calls.ts';

// Chroma's REST interface v2, as far as a store needs it: the vendor's own client carries a server's binary. A server
// describes itself at /openapi.json.

/** Settings of a server. */
export const chromaSettings = {
  url: z.string().default('http://127.0.0.1:8000'),
  api_key: secret().describe('Sent as `x-chroma-token`').default(''),
  chroma_tenant: z.string().describe(`Chroma's tenant, in which the databases are`).default('default_tenant'),
  prefix: z.string().describe('Begins the names of databases').default('ragmesh'),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a request, in milliseconds').default(10_000),
  ef_search: z
    .int()
    .min(10)
    .max(100_000)
    .describe('Rows that a search keeps in view: more finds more, and takes longer. Holds for new collections')
    .default(500),
};

/** A condition: https://docs.trychroma.com/docs/querying-collections/metadata-filtering. */
export type Where = Record<string, unknown>;

/** What is kept beside a vector. */
export type Metadata = Record<string, string | number | boolean>;

/** A record to be written. */
export interface ChromaRecord {
  id: string;
  metadata: Metadata;
  vector: Float32Array<ArrayBuffer>;
}

/** Which records to get, and what of them beside their ids. */
export interface GetRequest {
  ids?: string[];
  where?: Where;
  limit?: number;
  offset?: number;
  include?: string[];
}

/** What `get` gives. */
export interface GetReply {
  ids: string[];
  metadatas?: Metadata[] | null;
  embeddings?: number[][] | null;
}

/** A failed reply. */
class ChromaError extends Error {
  override readonly name = 'ChromaError';
  readonly status: number;
  constructor(status: number, body: string) {
    super(`HTTP ${status}: ${body.slice(0, 500)}`);
    this.status = status;
  }
}

/** Collections of a page of a listing. */
const pageSize = 500;

/** Opens a server. `name`: of the store, for errors. */
export function openChroma(settings: Settings<typeof chromaSettings>, name: string) {
  const base = `${settings.url.replace(/\/+$/, '')}/api/v2/tenants/${encodeURIComponent(settings.chroma_tenant)}/databases`;
  const headers = {
    'content-type': 'application/json',
    ...(settings.api_key !== '' && { 'x-chroma-token': settings.api_key }),
  };
  const call = createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError: (thrown) => toError(name, thrown) });
  // Collections by database and name: their ids never change, and one that has gone is asked for again.
  const known = new LRUCache<string, string>({ max: 10_000 });

  const send = async <T>(method: string, path: string, body: unknown, signal: AbortSignal): Promise<T> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
      signal,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new ChromaError(response.status, text);
    return JSON.parse(text) as T;
  };
  /** A request to a collection. */
  const ask = <T>(
    database: string,
    collection: string,
    verb: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<T> =>
    call((ends) => send<T>('POST', `/${database}/collections/${collection}/${verb}`, body, ends), signal);
  /** What `request` gives; `absent` where it is about something that is not there. */
  const orAbsent = async <T>(
    absent: T,
    request: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> =>
    call(async (ends) => {
      try {
        return await request(ends);
      } catch (error) {
        if (error instanceof ChromaError && error.status === 404) return absent;
        throw error;
      }
    }, signal);

  return {
    /** The id of a collection, which is made where it is not there. */
    async ensure(database: string, collection: string): Promise<string> {
      await call(async (signal) => {
        try {
          await send('POST', '', { name: database }, signal);
        } catch (error) {
          if (!(error instanceof ChromaError && error.status === 409)) throw error;
        }
      });
      const hnsw = { space: 'cosine', ef_search: settings.ef_search };
      const wanted = { name: collection, get_or_create: true, configuration: { hnsw } };
      const { id } = await call((signal) => send<{ id: string }>('POST', `/${database}/collections`, wanted, signal));
      known.set(`${database}/${collection}`, id);
      return id;
    },

    /** The id of a collection; `undefined` where it is not there. */
    async find(database: string, collection: string, signal: AbortSignal): Promise<string | undefined> {
      const key = `${database}/${collection}`;
      const id = known.get(key);
      if (id !== undefined) return id;
      const path = `/${database}/collections/${collection}`;
      const found = await orAbsent(
        undefined,
        (ends) => send<{ id: string } | undefined>('GET', path, undefined, ends),
        signal,
      );
      if (found !== undefined) known.set(key, found.id);
      return found?.id;
    },

    /** The ids of a database's collections. */
    async collections(database: string, signal?: AbortSignal): Promise<string[]> {
      const ids: string[] = [];
      for (;;) {
        const path = `/${database}/collections?limit=${pageSize}&offset=${ids.length}`;
        const page = await orAbsent([], (ends) => send<{ id: string }[]>('GET', path, undefined, ends), signal);
        ids.push(...page.map(({ id }) => id));
        if (page.length < pageSize) return ids;
      }
    },

    /** Records; none where the collection has gone. */
    async get(
      database: string,
      collection: string,
      { include = [], ...request }: GetRequest,
      signal?: AbortSignal,
    ): Promise<GetReply> {
      const path = `/${database}/collections/${collection}/get`;
      const reply = await orAbsent(
        undefined,
        (ends) => send<GetReply | undefined>('POST', path, { ...request, include }, ends),
        signal,
      );
      if (reply === undefined) known.clear();
      return reply ?? { ids: [] };
    },

    /** The nearest records that pass a condition, with their cosine distance. */
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
      const reply = await ask<{ metadatas?: Metadata[][]; distances?: number[][] }>(
        database,
        collection,
        'query',
        body,
        signal,
      );
      const distances = reply.distances?.[0] ?? [];
      return (reply.metadatas?.[0] ?? []).map((metadata, index) => ({ metadata, distance: distances[index] ?? 2 }));
    },

    async upsert(database: string, collection: string, records: readonly ChromaRecord[]): Promise<void> {
      await ask(database, collection, 'upsert', {
        ids: records.map(({ id }) => id),
        metadatas: records.map(({ metadata }) => metadata),
        embeddings: records.map(({ vector }) => [...vector]),
      });
    },

    /** Changes what is named in `metadata`; the rest stays. */
    async update(database: string, collection: string, ids: readonly string[], metadata: Metadata): Promise<void> {
      await ask(database, collection, 'update', { ids, metadatas: ids.map(() => metadata) });
    },

    async remove(database: string, collection: string, ids: readonly string[]): Promise<void> {
      await ask(database, collection, 'delete', { ids });
    },
  };
}

/** `fetch` throws a TypeError where no reply comes. */
function toError(name: string, thrown: unknown): unknown {
  if (thrown instanceof ChromaError) return httpError(name, thrown.status, thrown);
  return thrown instanceof TypeError ? httpError(name, undefined, thrown) : thrown;
}
