import { type Costs, type Kind, kinds, type Topology } from './costs.ts';
import type { Workload } from './workload.ts';

/** Replicas of one process of a topology. */
export interface Pool {
  /** Name of the process: a service, or a group of them. */
  name: string;
  /** CPU of a request, in milliseconds. */
  cpuMs: Record<Kind, number>;
  /** Cores that the peak uses in one region. */
  peakCores: number;
  /** Replicas in each region that the plan has at the peak. */
  replicas: number;
  memoryMb: number;
}

/** What a workload needs. */
export interface Capacity {
  /** Most requests a second in one region, with the share of a lost one if that is planned for. */
  regionPeakPerSecond: number;
  pools: Pool[];
  /** In each region, at the peak. */
  postgres: { transactionsPerSecond: number; cores: number };
  redis: { commandsPerSecond: number; cores: number };
  provider: {
    /** Completions that run concurrently at the peak, over all regions. */
    concurrent: number;
    promptTokensPerSecond: number;
    completionTokensPerSecond: number;
    /** Price of a day. */
    pricePerDay: number;
  };
}

/** Fewest replicas of a process in a region: one may be replaced while the other serves. */
const minReplicas = 2;

/** Computes what a workload needs from what requests cost. */
export function planCapacity(workload: Workload, costs: Costs, topology: Topology): Capacity {
  const { peakPerSecond, hitRate, regionCount, survivesRegion, provider } = workload;
  const carriers = survivesRegion && regionCount > 1 ? regionCount - 1 : regionCount;
  const regionPeakPerSecond = peakPerSecond / carriers;
  const shares: Record<Kind, number> = { cached: hitRate, generated: 1 - hitRate };
  const perSecond = (cost: Partial<Record<Kind, number>>) =>
    kinds.reduce((sum, kind) => sum + regionPeakPerSecond * shares[kind] * (cost[kind] ?? 0), 0);
  const pools = Object.entries(costs.topologies[topology]).map(([name, cost]): Pool => {
    const peakCores = perSecond(cost.cpu_ms) / 1000;
    const needed = Math.ceil(peakCores / (workload.coresPerReplica * workload.targetUtilization));
    const cpuMs = { cached: cost.cpu_ms.cached ?? 0, generated: cost.cpu_ms.generated ?? 0 };
    return { name, cpuMs, peakCores, replicas: Math.max(minReplicas, needed), memoryMb: cost.memory_mb };
  });
  const generatedPerSecond = peakPerSecond * shares.generated;
  const generatedPerDay = workload.perDay * shares.generated;
  return {
    regionPeakPerSecond,
    pools,
    postgres: {
      transactionsPerSecond: perSecond(costs.postgres.transactions),
      cores: perSecond(costs.postgres.cpu_ms) / 1000,
    },
    redis: { commandsPerSecond: perSecond(costs.redis.commands), cores: perSecond(costs.redis.cpu_ms) / 1000 },
    provider: {
      concurrent: generatedPerSecond * completionSeconds(workload),
      promptTokensPerSecond: generatedPerSecond * provider.promptTokens,
      completionTokensPerSecond: generatedPerSecond * provider.completionTokens,
      pricePerDay:
        (generatedPerDay *
          (provider.promptTokens * provider.promptPrice + provider.completionTokens * provider.completionPrice)) /
        1e6,
    },
  };
}

/** Returns the mean time that a completion is in flight, in seconds. */
export function completionSeconds({ provider }: Workload): number {
  const meanFirstMs = provider.firstTokenMs * Math.exp(provider.spread ** 2 / 2);
  return meanFirstMs / 1000 + provider.completionTokens / provider.tokensPerSecond;
}
