import { type AnswerEvent, AnswerOutcome, type CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** Counters of a tenant since the process started. */
export interface TenantStats {
  lookupCount: number;
  missCount: number;
  followCount: number;
  staleHitCount: number;
  refusalHitCount: number;
  corruptCount: number;
  savedPromptTokens: bigint;
  savedCompletionTokens: bigint;
  savedCostMicros: bigint;
  /** Currency of what was saved last. */
  currency: string;
  hits: Map<CacheLayer, number>;
}

const counts = ['lookupCount', 'missCount', 'followCount', 'staleHitCount', 'refusalHitCount', 'corruptCount'] as const;
const sums = ['savedPromptTokens', 'savedCompletionTokens', 'savedCostMicros'] as const;

/** Counters by tenant. */
export type Stats = ReturnType<typeof createStats>;

/** Creates the counters. Tenants come from signed tokens, so there are only as many as the operator has. */
export function createStats() {
  const tenants = new Map<string, TenantStats>();
  const of = (tenant: string): TenantStats => {
    let stats = tenants.get(tenant);
    if (stats === undefined) {
      stats = {
        lookupCount: 0,
        missCount: 0,
        followCount: 0,
        staleHitCount: 0,
        refusalHitCount: 0,
        corruptCount: 0,
        savedPromptTokens: 0n,
        savedCompletionTokens: 0n,
        savedCostMicros: 0n,
        currency: '',
        hits: new Map(),
      };
      tenants.set(tenant, stats);
    }
    return stats;
  };
  const save = (stats: TenantStats, events: readonly AnswerEvent[]) => {
    for (const { event } of events) {
      if (event.case === 'done' && event.value.outcome === AnswerOutcome.REFUSED) stats.refusalHitCount++;
      if (event.case !== 'usage') continue;
      stats.savedPromptTokens += event.value.promptTokens;
      stats.savedCompletionTokens += event.value.completionTokens;
      stats.savedCostMicros += event.value.costMicros ?? 0n;
      if (event.value.currency !== '') stats.currency = event.value.currency;
    }
  };
  return {
    of,
    /** Counts an answer that was served from `layer`. */
    hit(tenant: string, layer: CacheLayer, events: readonly AnswerEvent[], isStale: boolean): void {
      const stats = of(tenant);
      stats.hits.set(layer, (stats.hits.get(layer) ?? 0) + 1);
      if (isStale) stats.staleHitCount++;
      save(stats, events);
    },
    /** Adds counters of another process. */
    add(tenant: string, counted: TenantStats): void {
      const stats = of(tenant);
      for (const name of counts) stats[name] += counted[name];
      for (const name of sums) stats[name] += counted[name];
      for (const [layer, count] of counted.hits) stats.hits.set(layer, (stats.hits.get(layer) ?? 0) + count);
      if (counted.currency !== '') stats.currency = counted.currency;
    },
    /** Returns the counters by tenant, and begins again. */
    take(): [tenant: string, stats: TenantStats][] {
      const taken = [...tenants];
      tenants.clear();
      return taken;
    },
    /** Counts an answer that was followed. */
    follow(tenant: string, events: readonly AnswerEvent[]): void {
      const stats = of(tenant);
      stats.followCount++;
      save(stats, events);
    },
  };
}
