import type { ReadinessCheck } from '#kit/host/readiness.ts';

/** A store that counts rows, as both kinds do. */
interface CountingStore {
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
}

/** A tenant that has no rows: its count is one round trip to the store. */
const emptyTenant = 'ragmesh-readiness';

/**
 * Returns the checks of the stores. Retrieval serves while one of them works, because a question is then answered by one leg and the
 * answer names the other one as degraded; with both down it is not ready.
 */
export function storeChecks(vectors: CountingStore, keywords: CountingStore): ReadinessCheck[] {
  const checkOf = (name: string, store: CountingStore): ReadinessCheck => ({
    name,
    group: 'search',
    check: (signal) => store.count(emptyTenant, 0, 0, signal),
  });
  return [checkOf('vector_store', vectors), checkOf('keyword_store', keywords)];
}
