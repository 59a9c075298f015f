import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/config-error.ts';

/** Settings of the cache service. */
export interface CacheSettings {
  /** Whether answers are cached at all; without it every look-up gets a lease and nothing is stored. */
  readonly enabled: boolean;
  /** Memory for answers, in bytes. */
  readonly memoryBytes: number;
  /** Disk for answers, in bytes. */
  readonly durableBytes: number;
  /** Longest time to keep an answer, in milliseconds; random jitter shortens it by up to a tenth. */
  readonly ttlMs: number;
  /** Longest time to keep a refusal, in milliseconds: what was missing may be written soon. */
  readonly refusalTtlMs: number;
  /** Time from a lease to the start of its Fill, in milliseconds; after that the lease is lost. */
  readonly leaseTtlMs: number;
  /** Time that a look-up waits for the durable store, in milliseconds; later counts as a miss. */
  readonly durableTimeoutMs: number;
  /** Generations under way that are known at once; beyond that they can be neither followed nor stored. */
  readonly maxFlights: number;
  /** Largest answer, in bytes of its events. */
  readonly maxAnswerBytes: number;
}

const mebibyte = 1024 * 1024;

/** The settings from the configuration. */
export function readConfig({ cache }: Config): CacheSettings {
  const ttlMs = (cache?.ttlSeconds || 86_400) * 1000;
  return Object.freeze({
    enabled: cache?.enabled ?? true,
    memoryBytes: toBytes(cache?.memoryBytes, 64 * mebibyte, 'cache.memory_bytes'),
    durableBytes: toBytes(cache?.durableBytes, 1024 * mebibyte, 'cache.durable_bytes'),
    ttlMs,
    refusalTtlMs: Math.min(ttlMs, 300_000),
    leaseTtlMs: 10_000,
    durableTimeoutMs: 100,
    maxFlights: 10_000,
    maxAnswerBytes: 3 * mebibyte,
  });
}

function toBytes(value: bigint | undefined, fallback: number, path: string): number {
  const bytes = Number(value ?? 0n) || fallback;
  if (bytes > Number.MAX_SAFE_INTEGER) throw new ConfigError(path, `is ${value}: allowed are 1 to ${2 ** 53 - 1}`);
  return bytes;
}
