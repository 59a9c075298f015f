import { LRUCache } from 'lru-cache';
import {
  type AnswerStore,
  type AnswerStoreDeps,
  concerns,
  type StoredAnswer,
  type StoreUsage,
  sizeOf,
} from './answer-store.ts';

/** Creates a store in the memory of this process. The least recently used answers are evicted. */
export function createMemoryStore({ maxBytes, clock }: Pick<AnswerStoreDeps, 'maxBytes' | 'clock'>): AnswerStore {
  // Tenants come from signed tokens, so there are only as many as the operator has.
  const usages = new Map<string, StoreUsage>();
  const usageOf = (tenant: string): StoreUsage => {
    const usage = usages.get(tenant) ?? { entryCount: 0, sizeBytes: 0, evictionCount: 0 };
    usages.set(tenant, usage);
    return usage;
  };
  const answers = new LRUCache<string, StoredAnswer>({
    // The cache takes no bound of 0; no answer is as small as one byte.
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: sizeOf,
    onInsert(answer, _key, reason) {
      // The very same object again: it was never disposed of.
      if (reason === 'update') return;
      const usage = usageOf(answer.tenant);
      usage.entryCount++;
      usage.sizeBytes += sizeOf(answer);
    },
    dispose(answer, _key, reason) {
      const usage = usageOf(answer.tenant);
      usage.entryCount--;
      usage.sizeBytes -= sizeOf(answer);
      if (reason === 'evict') usage.evictionCount++;
    },
  });
  return {
    async get(tenant, key) {
      const answer = answers.get(key);
      if (answer === undefined || answer.tenant !== tenant) return undefined;
      if (answer.expiresAtMs > clock()) return answer;
      answers.delete(key);
      return undefined;
    },
    async put(answer) {
      answers.set(answer.key, answer);
    },
    async invalidate(tenant, target) {
      const isOne = target.kind === 'entry';
      const candidates = isOne ? [answers.peek(target.key)] : [...answers.values()];
      const keys: string[] = [];
      for (const answer of candidates) {
        if (answer?.tenant === tenant && concerns(target, answer)) keys.push(answer.key);
      }
      for (const key of keys) answers.delete(key);
      return keys;
    },
    async find(tenant, label, limit) {
      const found: StoredAnswer[] = [];
      for (const answer of answers.values()) {
        if (found.length >= limit) break;
        if (answer.tenant === tenant && answer.labels.includes(label) && answer.expiresAtMs > clock())
          found.push(answer);
      }
      return found;
    },
    async usage(tenant) {
      return { ...(usages.get(tenant) ?? { entryCount: 0, sizeBytes: 0, evictionCount: 0 }) };
    },
    async close() {
      answers.clear();
    },
  };
}
