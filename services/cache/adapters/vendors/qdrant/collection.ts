import { QdrantClient } from '@qdrant/js-client-rest';
import { collectionLost, qdrantError, statusOf, tooLate } from './errors.ts';

/** A condition on points. */
export type Condition =
  | { key: string; match: { value: string } }
  | { key: string; range: { gt?: number; lt?: number; lte?: number } }
  | { has_id: (string | number)[] };

/** A point with its vector and fields. */
export interface Point {
  id: string;
  vector: number[];
  payload: Record<string, unknown>;
}

/** How to reach a collection, and what it holds. */
export interface CollectionSettings {
  url: string;
  apiKey: string;
  name: string;
  timeoutMs: number;
  dimensions: number;
  replicas: number;
}

/** One collection of Qdrant. It is created by the first write; until then, reads find nothing. */
export type Collection = ReturnType<typeof openCollection>;

/** Fields that conditions name. Without their indices a strict server refuses such conditions. */
const indexedFields = {
  tenant: { type: 'keyword', is_tenant: true },
  scope: 'keyword',
  key: 'keyword',
  documents: 'keyword',
  stored_at: { type: 'integer', lookup: false, range: true },
  expires_at: { type: 'integer', lookup: false, range: true },
} as const;

/** Opens a collection. Nothing is sent yet. */
export function openCollection(settings: CollectionSettings) {
  const { name: collection_name, timeoutMs, dimensions } = settings;
  const api = new QdrantClient({
    url: settings.url,
    ...(settings.apiKey !== '' && { apiKey: settings.apiKey }),
    // Each call has its own deadline: with the client's timeout it would ignore the signal.
    timeout: Number.POSITIVE_INFINITY,
    checkCompatibility: false,
  }).api();
  let created: Promise<void> | undefined;

  async function call<T>(work: (ends: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const late = AbortSignal.timeout(timeoutMs);
    try {
      return await work(AbortSignal.any([signal, late]));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw late.aborted ? tooLate(timeoutMs, error) : qdrantError(error);
    }
  }

  /** Returns what `work` returns; `absent` if the collection does not exist. */
  const orAbsent = <T>(absent: T, work: (ends: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> =>
    call(async (ends) => {
      try {
        return await work(ends);
      } catch (error) {
        if (statusOf(error) === 404) return absent;
        throw error;
      }
    }, signal);

  async function create(signal: AbortSignal): Promise<void> {
    const { data } = await call((ends) => api.collectionExists({ collection_name }, { signal: ends }), signal);
    if (data.result?.exists !== true) {
      const vectors = { size: dimensions, distance: 'Cosine' as const, on_disk: true };
      const wanted = { collection_name, vectors, replication_factor: settings.replicas };
      await call(async (ends) => {
        try {
          await api.createCollection(wanted, { signal: ends });
        } catch (error) {
          // Another process was faster.
          if (statusOf(error) !== 409) throw error;
        }
      }, signal);
    }
    for (const [field_name, field_schema] of Object.entries(indexedFields)) {
      const wanted = { collection_name, field_name, field_schema, wait: true };
      await call((ends) => api.createFieldIndex(wanted, { signal: ends }), signal);
    }
  }

  return {
    /** Writes points, in a collection that is created if it is absent. */
    async put(points: Point[], signal: AbortSignal): Promise<void> {
      created ??= create(signal).catch((error: unknown) => {
        created = undefined;
        throw error;
      });
      await created;
      const isThere = await orAbsent(
        false,
        async (ends) => {
          await api.upsertPoints({ collection_name, wait: true, points }, { signal: ends });
          return true;
        },
        signal,
      );
      if (isThere) return;
      created = undefined;
      throw collectionLost();
    },

    /** Returns the points nearest to a vector with their vectors, by exact search. */
    search: (query: number[], must: Condition[], limit: number, fields: string[], signal: AbortSignal) =>
      orAbsent(
        [],
        async (ends) => {
          const wanted = {
            collection_name,
            query,
            filter: { must },
            limit,
            params: { exact: true },
            with_payload: fields,
            with_vector: true,
          };
          const { data } = await api.queryPoints(wanted, { signal: ends });
          return data.result?.points ?? [];
        },
        signal,
      ),

    /** Returns the ids of the points with the lowest values of a field. */
    async lowest(key: string, must: Condition[], limit: number, signal: AbortSignal): Promise<(string | number)[]> {
      const order_by = { key, direction: 'asc' as const };
      const wanted = { collection_name, filter: { must }, limit, order_by, with_payload: false, with_vector: false };
      const { data } = await call((ends) => api.scrollPoints(wanted, { signal: ends }), signal);
      return (data.result?.points ?? []).map(({ id }) => id);
    },

    count: (must: Condition[], signal: AbortSignal): Promise<number> =>
      orAbsent(
        0,
        async (ends) => {
          const { data } = await api.countPoints({ collection_name, filter: { must }, exact: true }, { signal: ends });
          return data.result?.count ?? 0;
        },
        signal,
      ),

    remove: (must: Condition[], signal: AbortSignal): Promise<void> =>
      orAbsent(
        undefined,
        async (ends) => {
          await api.deletePoints({ collection_name, wait: true, filter: { must } }, { signal: ends });
        },
        signal,
      ),
  };
}
