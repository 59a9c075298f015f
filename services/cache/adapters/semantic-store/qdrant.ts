import { createHash } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { QdrantClient } from '@qdrant/js-client-rest';
import { z } from 'zod';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError, unavailable } from '#kit/base/errors.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { SemanticStore, SemanticStoreDeps, SemanticTarget } from '../../semantic/semantic-store.ts';

const settings = {
  url: z.string().default('http://127.0.0.1:6333'),
  api_key: secret().default(''),
  prefix: z.string().describe('Begins the name of the collection').default('ragmesh'),
  timeout_ms: z.int().min(10).max(600_000).describe('Longest time of a request, in milliseconds').default(2000),
  replicas: z.int().min(1).max(16).describe('Copies of each shard, for a cluster').default(1),
};

/**
 * Questions in Qdrant: a collection a space of vectors, where every request names tenant and scope. A scope is small, so it is searched
 * exactly.
 */
export const adapter = defineAdapter({
  settings,
  create: (given, deps: SemanticStoreDeps) => createQdrantStore(given, deps),
});

/** Fields that conditions name. Without their indices a strict server refuses such conditions. */
const indexedFields = {
  tenant: { type: 'keyword', is_tenant: true },
  scope: 'keyword',
  key: 'keyword',
  documents: 'keyword',
  stored_at: { type: 'integer', lookup: false, range: true },
  expires_at: { type: 'integer', lookup: false, range: true },
} as const;

/** Points above a bound that one put removes. */
const removeBatch = 256;

type Condition =
  | { key: string; match: { value: string } }
  | { key: string; range: { gt?: number; lte?: number } }
  | { has_id: (string | number)[] };
const is = (key: string, value: string): Condition => ({ key, match: { value } });

async function createQdrantStore(given: Settings<typeof settings>, deps: SemanticStoreDeps): Promise<SemanticStore> {
  const { clock, maxPerScope, maxPerTenant, embeddingModel, dimensions } = deps;
  const client = new QdrantClient({
    url: given.url,
    ...(given.api_key !== '' && { apiKey: given.api_key }),
    // Deadlines are ours: the client's own would take the place of the signal.
    timeout: Number.POSITIVE_INFINITY,
    checkCompatibility: false,
  });
  const api = client.api();
  const collection_name = `${given.prefix}_questions_${termOf(`${embeddingModel} ${dimensions}`).slice(0, 12)}`;
  let made: Promise<void> | undefined;

  async function call<T>(work: (ends: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const late = AbortSignal.timeout(given.timeout_ms);
    try {
      return await work(AbortSignal.any([signal, late]));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (late.aborted)
        throw unavailable('semantic store', `Qdrant did not answer within ${given.timeout_ms} ms`, error);
      throw toError(error);
    }
  }
  /** What `work` gives; `absent` where the collection does not exist. */
  const orAbsent = <T>(absent: T, work: (ends: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> =>
    call(
      (ends) =>
        work(ends).catch((error: unknown) => {
          if (statusOf(error) === 404) return absent;
          throw error;
        }),
      signal,
    );
  const make = async (signal: AbortSignal): Promise<void> => {
    const { data } = await call((ends) => api.collectionExists({ collection_name }, { signal: ends }), signal);
    if (data.result?.exists !== true) {
      const vectors = { size: dimensions, distance: 'Cosine' as const, on_disk: true };
      await call(async (ends) => {
        try {
          await api.createCollection(
            { collection_name, vectors, replication_factor: given.replicas },
            { signal: ends },
          );
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
  };
  const ensure = (signal: AbortSignal): Promise<void> => {
    made ??= make(signal).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  const count = (must: Condition[], signal: AbortSignal): Promise<number> =>
    orAbsent(
      0,
      async (ends) => {
        const { data } = await api.countPoints({ collection_name, filter: { must }, exact: true }, { signal: ends });
        return data.result?.count ?? 0;
      },
      signal,
    );
  const remove = (must: Condition[], signal: AbortSignal): Promise<void> =>
    orAbsent(
      undefined,
      async (ends) => {
        await api.deletePoints({ collection_name, wait: true, filter: { must } }, { signal: ends });
      },
      signal,
    );
  /** Removes the oldest points beyond a bound. */
  async function shrink(must: Condition[], most: number, signal: AbortSignal): Promise<void> {
    const extra = Math.min(removeBatch, (await count(must, signal)) - most);
    if (extra <= 0) return;
    const order_by = { key: 'stored_at', direction: 'asc' as const };
    const wanted = {
      collection_name,
      filter: { must },
      limit: extra,
      order_by,
      with_payload: false,
      with_vector: false,
    };
    const { data } = await call((ends) => api.scrollPoints(wanted, { signal: ends }), signal);
    const has_id = (data.result?.points ?? []).map(({ id }) => id);
    if (has_id.length > 0) await remove([...must, { has_id }], signal);
  }

  return {
    async put({ tenant, scopeKey, key, question, vector, documentIds, storedAtMs, expiresAtMs }, signal) {
      const payload = {
        tenant,
        scope: scopeKey,
        key,
        question,
        documents: [...new Set(documentIds)],
        stored_at: storedAtMs,
        expires_at: expiresAtMs,
      };
      const points = [{ id: idOf(tenant, scopeKey, key), vector: [...vector], payload }];
      await ensure(signal);
      const isThere = await orAbsent(
        false,
        async (ends) => {
          await api.upsertPoints({ collection_name, wait: true, points }, { signal: ends });
          return true;
        },
        signal,
      );
      // The server has lost what this process made; the next put makes it anew.
      if (!isThere) {
        made = undefined;
        throw unavailable('semantic store', 'Qdrant has lost its collection');
      }
      await remove([is('tenant', tenant), { key: 'expires_at', range: { lte: clock() } }], signal);
      await shrink([is('tenant', tenant), is('scope', scopeKey)], maxPerScope, signal);
      await shrink([is('tenant', tenant)], maxPerTenant, signal);
    },
    async search({ tenant, scopeKey, vector, limit }, signal) {
      const must: Condition[] = [
        is('tenant', tenant),
        is('scope', scopeKey),
        { key: 'expires_at', range: { gt: clock() } },
      ];
      const wanted = {
        collection_name,
        query: [...vector],
        filter: { must },
        limit,
        params: { exact: true },
        with_payload: ['key', 'question'],
      };
      const points = await orAbsent(
        [],
        async (ends) => {
          const { data } = await api.queryPoints(wanted, { signal: ends });
          return data.result?.points ?? [];
        },
        signal,
      );
      return points.map(({ payload, score }) => {
        const { key, question } = payload as Record<string, unknown>;
        return { key: String(key), question: String(question), similarity: score };
      });
    },
    remove: (tenant, target, signal) => remove([is('tenant', tenant), ...conditionsOf(target)], signal),
    count: (tenant, signal) => count([is('tenant', tenant), { key: 'expires_at', range: { gt: clock() } }], signal),
    async close() {},
  };
}

function conditionsOf(target: SemanticTarget): Condition[] {
  switch (target.kind) {
    case 'key':
      return [is('key', target.key)];
    case 'document':
      return [is('documents', target.documentId)];
    case 'scope':
      return [is('scope', target.scopeKey)];
    case 'all':
      return [];
    default:
      throw target satisfies never;
  }
}

const termOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The id of a point holds the tenant and the scope, so that no write meets another's point. */
function idOf(...parts: string[]): string {
  const hex = termOf(parts.map((part) => `${part.length}:${part}`).join(''));
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The HTTP status of an error of the client; `undefined` where no reply came. */
function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as { status?: unknown }).status;
  return typeof status === 'number' ? status : undefined;
}

/** The client's errors: a reply that says no has a status; `fetch` throws a TypeError without one. What the server said may quote a question. */
function toError(thrown: unknown): unknown {
  const status = statusOf(thrown);
  const name = thrown instanceof Error ? thrown.name : '';
  if (status === 429 || name === 'QdrantClientResourceExhaustedError') {
    const parts = { metadata: { dependency: 'semantic store' }, retryAfterMs: 1000, cause: thrown };
    return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'Qdrant has too much to do', parts);
  }
  if (status === 401 || status === 403)
    return unavailable('semantic store', 'Qdrant refuses its key: check the settings', thrown);
  if (status === 408 || (status ?? 0) >= 500)
    return unavailable('semantic store', `Qdrant fails (HTTP ${status})`, thrown);
  if (status === undefined && thrown instanceof TypeError)
    return unavailable('semantic store', 'Qdrant cannot be reached', thrown);
  return internal(thrown);
}
