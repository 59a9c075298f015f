import { type QdrantApi, type QdrantConnection, statusOf } from './connection.ts';

/** The parameters of a new collection. */
export type CollectionParams = Omit<Parameters<QdrantApi['createCollection']>[0], 'collection_name' | 'timeout'>;

/** The collections of a server. */
export interface QdrantCollections {
  /** Creates a collection and its indices if this process has not created or found it yet. */
  ensure(collection: string, params: CollectionParams): Promise<void>;
  /** Forgets that a collection exists, after the server has lost it. */
  forget(collection: string): void;
}

const integer = { type: 'integer', lookup: true, range: true } as const;
const term = { type: 'integer', lookup: true, range: false } as const;

/** Fields that conditions read. Without their indices a strict server refuses such conditions. */
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

/** Returns the collections of a server. */
export function createCollections({ api, call, replicas }: QdrantConnection): QdrantCollections {
  const known = new Map<string, Promise<void>>();
  const create = async (collection_name: string, params: CollectionParams): Promise<void> => {
    const { data } = await call((signal) => api.collectionExists({ collection_name }, { signal }));
    if (data.result?.exists !== true) {
      const wanted = { ...params, replication_factor: replicas };
      await call(async (signal) => {
        try {
          await api.createCollection({ collection_name, ...wanted }, { signal });
        } catch (error) {
          // Another process has created it meanwhile.
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
  return {
    ensure(collection, params) {
      let creating = known.get(collection);
      if (creating === undefined) {
        creating = create(collection, params);
        known.set(collection, creating);
        creating.catch(() => known.delete(collection));
      }
      return creating;
    },
    forget: (collection) => void known.delete(collection),
  };
}
