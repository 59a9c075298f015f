import type { JsonObject } from '@bufbuild/protobuf';
import type { AdapterConfig, Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/config-error.ts';

/** An adapter in use. */
export interface ChosenAdapter {
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
  /** Where the configuration names it. */
  readonly path: string;
}

/** Settings of the semantic layer. */
export interface SemanticSettings {
  /** Whether it runs where it is calibrated. */
  readonly enabled: boolean;
  /** Where questions are kept. */
  readonly store: ChosenAdapter;
  /** The embedding model; empty: the default one. */
  readonly embeddingModel: string;
  /** Time for a look-up, in milliseconds. */
  readonly timeoutMs: number;
  /** Share of hits that are generated all the same, to compare the answers, 0 to 1. */
  readonly shadowShare: number;
  /** Largest share of those that may be wrong. */
  readonly shadowBudget: number;
  /** Questions of a scope, and of a tenant; beyond them the oldest make way. */
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
  /** Where answers are kept beyond memory. */
  readonly durableStore: ChosenAdapter;
  /** Where generations under way are known. */
  readonly flightStore: ChosenAdapter;
  /** Longest time that an answer is fresh, in milliseconds; random jitter shortens it by up to a tenth. */
  readonly ttlMs: number;
  /** Time after that in which it is given while one caller makes a new one, in milliseconds. */
  readonly staleMs: number;
  /** Longest time to keep a refusal, in milliseconds: what was missing may be written soon. */
  readonly refusalTtlMs: number;
  /** Time from a lease to the start of its Fill, in milliseconds; after that the lease is lost. */
  readonly leaseTtlMs: number;
  /** Time that a look-up waits for the durable store, and for word of other replicas, in milliseconds; later counts as a miss. */
  readonly durableTimeoutMs: number;
  /** Time that memory is believed while other replicas' invalidations cannot be heard, in milliseconds. */
  readonly detachedMs: number;
  /** Answers to questions of the same meaning. */
  readonly semantic: SemanticSettings;
  /** Generations under way that are known at once; beyond that they can be neither followed nor stored. */
  readonly maxFlights: number;
  /** Largest answer, in bytes of its events. */
  readonly maxAnswerBytes: number;
}

const mebibyte = 1024 * 1024;

/** The settings from the configuration. */
export function readConfig({ cache }: Config): CacheSettings {
  const ttlMs = (cache?.ttlSeconds || 86_400) * 1000;
  const durableStore = toAdapter(cache?.durableStore, 'sqlite', 'cache.durable_store');
  const sharedStore = durableStore.adapter === 'redis' ? durableStore : undefined;
  const semantic = cache?.semantic;
  return Object.freeze({
    enabled: cache?.enabled ?? true,
    memoryBytes: toBytes(cache?.memoryBytes, 64 * mebibyte, 'cache.memory_bytes'),
    durableBytes: toBytes(cache?.durableBytes, 1024 * mebibyte, 'cache.durable_bytes'),
    durableStore,
    // Replicas that share their answers share their generations too.
    flightStore: toAdapter(cache?.flightStore, 'memory', 'cache.flight_store', sharedStore),
    ttlMs,
    staleMs: (cache?.staleSeconds ?? 600) * 1000,
    refusalTtlMs: Math.min(ttlMs, (cache?.refusalTtlSeconds || 300) * 1000),
    leaseTtlMs: 10_000,
    // A look-up may wait twice, and chat waits 200 ms for the cache.
    durableTimeoutMs: cache?.durableTimeoutMs || (sharedStore === undefined ? 100 : 50),
    detachedMs: (cache?.detachedSeconds ?? 60) * 1000,
    semantic: Object.freeze({
      enabled: semantic?.enabled ?? true,
      store: toAdapter(semantic?.store, 'sqlite', 'cache.semantic.store', sharedStore),
      embeddingModel: semantic?.embeddingModel ?? '',
      timeoutMs: semantic?.timeoutMs || 100,
      shadowShare: semantic?.shadowShare ?? 0.01,
      shadowBudget: semantic?.shadowBudget ?? 0.05,
      maxPerScope: 5000,
      maxPerTenant: 100_000,
    }),
    maxFlights: 10_000,
    maxAnswerBytes: 3 * mebibyte,
  });
}

function toAdapter(
  given: AdapterConfig | undefined,
  fallback: string,
  path: string,
  otherwise?: ChosenAdapter,
): ChosenAdapter {
  if (given === undefined && otherwise !== undefined) return otherwise;
  return { adapter: given?.adapter || fallback, settings: given?.settings, path };
}

function toBytes(value: bigint | undefined, fallback: number, path: string): number {
  const bytes = Number(value ?? 0n) || fallback;
  if (bytes > Number.MAX_SAFE_INTEGER) throw new ConfigError(path, `is ${value}: allowed are 1 to ${2 ** 53 - 1}`);
  return bytes;
}
