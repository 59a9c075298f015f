import { create } from '@bufbuild/protobuf';
import {
  CacheConfigSchema,
  type Config,
  type SemanticCacheConfig,
  SemanticCacheConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { type ChosenAdapter, chosenAdapter, ifSet } from '#kit/host/config/settings.ts';

/** Settings of the semantic layer. */
export interface SemanticSettings {
  /** Whether it runs if it is calibrated. */
  readonly enabled: boolean;
  /** The store of questions. */
  readonly store: ChosenAdapter;
  /** The embedding model; empty: the default one. */
  readonly embeddingModel: string;
  /** Time for a look-up, in milliseconds. */
  readonly timeoutMs: number;
  /** Share of hits that are generated anyway, to compare the answers, 0 to 1. */
  readonly shadowShare: number;
  /** Largest share of those that may be wrong. */
  readonly shadowBudget: number;
  /** Largest count of questions of a scope, and of a tenant; beyond it the oldest are removed. */
  readonly maxPerScope: number;
  readonly maxPerTenant: number;
}

/** Settings of the cache service. */
export interface CacheSettings {
  /** Whether answers are cached at all; without it every look-up gets a lease and nothing is stored. */
  readonly enabled: boolean;
  /** Memory for answers, in bytes. */
  readonly memoryBytes: number;
  /** Disk for answers, in bytes; a shared store has a bound of its own. */
  readonly durableBytes: number;
  /** The store of answers below memory. */
  readonly durableStore: ChosenAdapter;
  /** The store of running generations. */
  readonly flightStore: ChosenAdapter;
  /** Longest time for which an answer is fresh, in milliseconds; random jitter shortens it by up to a tenth. */
  readonly ttlMs: number;
  /** Time after that for which it is served while one caller generates a new one, in milliseconds. */
  readonly staleMs: number;
  /** Longest time to keep a refusal, in milliseconds: the missing evidence may be written soon. */
  readonly refusalTtlMs: number;
  /** Time from a lease to the start of its Fill, in milliseconds; after that the lease is lost. */
  readonly leaseTtlMs: number;
  /** Longest wait of a look-up for the durable store, and for other replicas, in milliseconds; a later reply is a miss. */
  readonly durableTimeoutMs: number;
  /** Time for which memory is used while invalidations of other replicas do not arrive, in milliseconds. */
  readonly detachedMs: number;
  /** Answers to questions of the same meaning. */
  readonly semantic: SemanticSettings;
  /** Largest count of running generations; beyond it they can be neither followed nor stored. */
  readonly maxFlights: number;
  /** Largest answer, in bytes of its events. */
  readonly maxAnswerBytes: number;
}

const mebibyte = 1024 * 1024;

/** Returns the settings from the configuration. */
export function readConfig(config: Config): CacheSettings {
  const cache = config.cache ?? create(CacheConfigSchema);
  const ttlMs = cache.ttlSeconds * 1000;
  const durableStore = chosenAdapter(CacheConfigSchema.field.durableStore, cache.durableStore, 'cache.durable_store');
  const sharedStore = durableStore.adapter === 'redis' ? durableStore : undefined;
  return Object.freeze({
    enabled: cache.enabled,
    memoryBytes: Number(cache.memoryBytes),
    durableBytes: Number(cache.durableBytes),
    durableStore,
    // Replicas that share their answers share their generations too.
    flightStore: cache.flightStore
      ? chosenAdapter(CacheConfigSchema.field.flightStore, cache.flightStore, 'cache.flight_store')
      : (sharedStore ?? embedded('memory', 'cache.flight_store')),
    ttlMs,
    staleMs: cache.staleSeconds * 1000,
    refusalTtlMs: Math.min(ttlMs, cache.refusalTtlSeconds * 1000),
    leaseTtlMs: 10_000,
    // A lookup may wait twice, and chat waits 200 ms for the cache.
    durableTimeoutMs: ifSet(cache, 'durableTimeoutMs') ?? (sharedStore === undefined ? 100 : 50),
    detachedMs: cache.detachedSeconds * 1000,
    semantic: readSemantic(cache.semantic ?? create(SemanticCacheConfigSchema), sharedStore),
    maxFlights: 10_000,
    maxAnswerBytes: 3 * mebibyte,
  });
}

function readSemantic(semantic: SemanticCacheConfig, sharedStore: ChosenAdapter | undefined): SemanticSettings {
  return Object.freeze({
    enabled: semantic.enabled,
    store: semantic.store
      ? chosenAdapter(SemanticCacheConfigSchema.field.store, semantic.store, 'cache.semantic.store')
      : (sharedStore ?? embedded('sqlite', 'cache.semantic.store')),
    embeddingModel: semantic.embeddingModel,
    timeoutMs: semantic.timeoutMs,
    shadowShare: semantic.shadowShare,
    shadowBudget: semantic.shadowBudget,
    maxPerScope: 5000,
    maxPerTenant: 100_000,
  });
}

const embedded = (adapter: string, path: string): ChosenAdapter => ({ adapter, settings: undefined, path });
