import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { SemanticStore, SemanticStoreDeps, SemanticTarget } from '../../semantic/semantic-store.ts';
import { type Condition, openCollection } from '../vendors/qdrant/collection.ts';

const settings = {
  url: z.string().default('http://127.0.0.1:6333'),
  api_key: secret().default(''),
  prefix: z.string().describe('Begins the name of the collection').default('ragmesh'),
  timeout_ms: z.int().min(10).max(600_000).describe('Longest time of a request, in milliseconds').default(2000),
  replicas: z.int().min(1).max(16).describe('Copies of each shard, for a cluster').default(1),
};

/**
 * Questions in Qdrant: one collection for each space of vectors, in which every request names tenant and scope. A scope is small, so it is
 * searched exactly.
 */
export const adapter = defineAdapter({
  settings,
  create: (given, deps: SemanticStoreDeps) => createQdrantStore(given, deps),
});

/** Points above a bound that one put removes. */
const removeBatch = 256;

const is = (key: string, value: string): Condition => ({ key, match: { value } });

function createQdrantStore(given: Settings<typeof settings>, deps: SemanticStoreDeps): SemanticStore {
  const { clock, maxPerScope, maxPerTenant, embeddingModel, dimensions } = deps;
  const collection = openCollection({
    url: given.url,
    apiKey: given.api_key,
    name: `${given.prefix}_questions_${termOf(`${embeddingModel} ${dimensions}`).slice(0, 12)}`,
    timeoutMs: given.timeout_ms,
    dimensions,
    replicas: given.replicas,
  });
  const isLive = (): Condition => ({ key: 'expires_at', range: { gt: clock() } });

  /** Removes the oldest points beyond a bound. */
  async function shrink(must: Condition[], maxCount: number, signal: AbortSignal): Promise<void> {
    const extra = Math.min(removeBatch, (await collection.count(must, signal)) - maxCount);
    if (extra <= 0) return;
    const has_id = await collection.lowest('stored_at', must, extra, signal);
    if (has_id.length > 0) await collection.remove([...must, { has_id }], signal);
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
      await collection.put([{ id: idOf(tenant, scopeKey, key), vector: [...vector], payload }], signal);
      await collection.remove([is('tenant', tenant), { key: 'expires_at', range: { lte: clock() } }], signal);
      await shrink([is('tenant', tenant), is('scope', scopeKey)], maxPerScope, signal);
      await shrink([is('tenant', tenant)], maxPerTenant, signal);
    },
    async search({ tenant, scopeKey, vector, limit }, signal) {
      const must = [is('tenant', tenant), is('scope', scopeKey), isLive()];
      const points = await collection.search([...vector], must, limit, ['key', 'question'], signal);
      return points.map(({ payload, score, vector: found }) => ({
        key: String(payload?.key),
        question: String(payload?.question),
        similarity: score,
        vector: Float32Array.from(found as number[]),
      }));
    },
    remove: (tenant, target, signal) => collection.remove([is('tenant', tenant), ...conditionsOf(target)], signal),
    count: (tenant, signal) => collection.count([is('tenant', tenant), isLive()], signal),
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
    case 'before':
      return [{ key: 'stored_at', range: { lt: target.storedBeforeMs } }];
    case 'all':
      return [];
    default:
      throw target satisfies never;
  }
}

const termOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Returns the id of a point. It depends on tenant and scope, so that no write replaces the point of another one. */
function idOf(...parts: string[]): string {
  const hex = termOf(parts.map((part) => `${part.length}:${part}`).join(''));
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
