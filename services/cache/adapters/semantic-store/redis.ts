import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { openRedis, tenantPrefix } from '#kit/storage/redis.ts';
import { redisError } from '#kit/storage/redis-errors.ts';
import type { RedisSettings } from '#kit/storage/redis-settings.ts';
import type { SemanticEntry, SemanticStore, SemanticStoreDeps, SemanticTarget } from '../../semantic/semantic-store.ts';
import { putScript, removeScript } from '../vendors/redis/semantic-scripts.ts';
import { cacheRedisSettings, commandTimeoutMs } from '../vendors/redis/settings.ts';

/**
 * Questions in any Redis that runs Lua: no vector index is needed. The questions of a scope are a bounded hash. A replica reads it when it
 * changed, keeps it decoded, and searches it exactly; a search of an unchanged scope is one small round trip.
 */
export const adapter = defineAdapter({
  settings: cacheRedisSettings,
  create: (settings, deps: SemanticStoreDeps) => createRedisStore(settings, deps),
});

/** The scripts as ioredis gives them. */
interface Scripts {
  semanticPut(keyCount: 1, prefix: string, ...args: (string | number | Buffer)[]): Promise<number>;
  semanticRemove(keyCount: 1, prefix: string, ...args: (string | number)[]): Promise<number>;
}

interface KeptQuestion {
  key: string;
  question: string;
  expiresAtMs: number;
  vector: Float32Array;
}

interface KeptScope {
  mark: string;
  questions: KeptQuestion[];
}

/** Room for decoded scopes, in bytes. */
const keptBytes = 32 << 20;
/** Entries that one step removes: a script must not block the server for long. */
const removeBatch = 500;

async function createRedisStore(settings: RedisSettings, deps: SemanticStoreDeps): Promise<SemanticStore> {
  const { clock, random, log, maxPerScope, maxPerTenant, embeddingModel, dimensions } = deps;
  const redis = await openRedis(settings, { name: 'semantic store', timeoutMs: commandTimeoutMs, log });
  for (const [name, lua] of Object.entries({ semanticPut: putScript, semanticRemove: removeScript })) {
    redis.defineCommand(name, { lua });
  }
  const scripts = redis as unknown as Scripts;
  const space = termOf(`${embeddingModel} ${dimensions}`);
  const prefixOf = (tenant: string) => `${tenantPrefix(settings.key_prefix, tenant)}:q:${space}`;
  const kept = new LRUCache<string, KeptScope>({
    maxSize: keptBytes,
    sizeCalculation: ({ questions }) => 256 + questions.length * (dimensions * 4 + 512),
  });
  const newMark = () => `${clock().toString(36)}.${random().toString(36).slice(2)}`;
  const run = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      throw redisError('semantic store', error);
    }
  };

  async function load(hash: string): Promise<KeptScope | undefined> {
    const mark = await redis.hget(hash, '');
    if (mark === null) return undefined;
    const known = kept.get(hash);
    if (known?.mark === mark) return known;
    const fields = await redis.hgetallBuffer(hash);
    // The mark that came with the questions: they may have changed since the first read.
    const scope: KeptScope = { mark: String(fields[''] ?? ''), questions: [] };
    for (const [key, bytes] of Object.entries(fields)) {
      const question = key === '' ? undefined : decode(key, bytes, dimensions);
      if (question !== undefined) scope.questions.push(question);
    }
    kept.set(hash, scope);
    return scope;
  }

  return {
    async put(entry, signal) {
      const { tenant, scopeKey, key, documentIds, storedAtMs, expiresAtMs } = entry;
      const documents = JSON.stringify(documentIds.length === 0 ? [] : [...new Set(documentIds)].map(termOf));
      const args = [storedAtMs, expiresAtMs, clock(), documents, maxPerScope, maxPerTenant, newMark()];
      await run(() => scripts.semanticPut(1, prefixOf(tenant), termOf(scopeKey), key, encode(entry), ...args), signal);
    },
    async search({ tenant, scopeKey, vector, limit }, signal) {
      const scope = await run(() => load(`${prefixOf(tenant)}:s:${termOf(scopeKey)}`), signal);
      const now = clock();
      return (scope?.questions ?? [])
        .filter(({ expiresAtMs }) => expiresAtMs > now)
        .map(({ key, question, vector: other }) => ({ key, question, similarity: dot(vector, other), vector: other }))
        .sort((a, b) => b.similarity - a.similarity || (a.key < b.key ? -1 : 1))
        .slice(0, limit);
    },
    async remove(tenant, target, signal) {
      const value = valueOfTarget(target);
      // No more steps than entries there can be.
      for (let left = maxPerTenant + removeBatch; left > 0; left -= removeBatch) {
        const count = await run(
          () => scripts.semanticRemove(1, prefixOf(tenant), target.kind, value, removeBatch, newMark()),
          signal,
        );
        if (count < removeBatch) return;
      }
    },
    count: (tenant, signal) => run(() => redis.zcount(`${prefixOf(tenant)}:e`, `(${clock()}`, '+inf'), signal),
    async close() {
      redis.disconnect();
    },
  };
}

/** Returns a target's value as the script takes it. */
function valueOfTarget(target: SemanticTarget): string | number {
  switch (target.kind) {
    case 'key':
      return target.key;
    case 'document':
      return termOf(target.documentId);
    case 'scope':
      return termOf(target.scopeKey);
    case 'before':
      return target.storedBeforeMs;
    case 'all':
      return '';
    default:
      return target satisfies never;
  }
}

/** Returns a part of a key for a name with any characters. */
const termOf = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 32);

/** Eight bytes of time (float64), the vector (float32), the question (UTF-8); all little-endian. */
function encode({ vector, question, expiresAtMs }: SemanticEntry): Buffer {
  const bytes = Buffer.alloc(8 + vector.byteLength);
  bytes.writeDoubleLE(expiresAtMs, 0);
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).copy(bytes, 8);
  return Buffer.concat([bytes, Buffer.from(question)]);
}

/** `undefined` for bytes that are too short: such an entry is never found. */
function decode(key: string, bytes: Buffer, dimensions: number): KeptQuestion | undefined {
  const end = 8 + dimensions * 4;
  if (bytes.byteLength <= end) return undefined;
  const vector = new Float32Array(new Uint8Array(bytes.subarray(8, end)).buffer);
  return { key, question: bytes.subarray(end).toString(), expiresAtMs: bytes.readDoubleLE(0), vector };
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number);
  return sum;
}
