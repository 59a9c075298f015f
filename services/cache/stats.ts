import type { AnswerEvent, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** Counters of a tenant since the process started. */
export interface TenantStats {
  lookupCount: number;
  missCount: number;
  savedCompletionTokens: bigint;
  savedCostMicros: bigint;
  hits: Map<CacheLayer, number>;
}

/** Counters by tenant. Tenants come from signed tokens, so there are only as many as the operator has. */
export function createStats() {
  const tenants = new Map<string, TenantStats>();
  const of = (tenant: string): TenantStats => {
    let stats = tenants.get(tenant);
    if (stats === undefined) {
      stats = { lookupCount: 0, missCount: 0, savedCompletionTokens: 0n, savedCostMicros: 0n, hits: new Map() };
      tenants.set(tenant, stats);
    }
    return stats;
  };
  return {
    of,
    /** Counts an answer that was given from `layer`. */
    hit(tenant: string, layer: CacheLayer, events: readonly AnswerEvent[]): void {
      const stats = of(tenant);
      stats.hits.set(layer, (stats.hits.get(layer) ?? 0) + 1);
      for (const { event } of events) {
        if (event.case !== 'usage') continue;
        stats.savedCompletionTokens += event.value.completionTokens;
        stats.savedCostMicros += event.value.costMicros ?? 0n;
      }
    },
  };
}
