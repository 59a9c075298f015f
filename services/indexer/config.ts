import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/config-error.ts';

/** Settings of the indexer. */
export interface IndexerSettings {
  /** Jobs that run at once. */
  readonly maxRunningJobs: number;
  /** Largest file, in bytes. */
  readonly maxFileBytes: number;
  /** Largest upload, in bytes. */
  readonly maxUploadBytes: number;
  /** Aimed length of a chunk, in estimated tokens. */
  readonly chunkTokens: number;
  /** What a chunk repeats of the one before, where a section had to be cut, in estimated tokens. */
  readonly chunkOverlapTokens: number;
  /** Attempts of a job before it is given up. */
  readonly maxAttempts: number;
  /** Time that a worker owns a job without a sign of life. */
  readonly leaseMs: number;
  /** Index versions that can become live again, the live one included: their documents' texts are kept. */
  readonly keptVersions: number;
}

/** The settings from the configuration. Throws ConfigError. */
export function readConfig(config: Config): IndexerSettings {
  const given = config.indexer;
  const settings: IndexerSettings = {
    maxRunningJobs: given?.maxRunningJobs || 1,
    maxFileBytes: Number(given?.maxFileBytes || 64n << 20n),
    maxUploadBytes: Number(given?.maxUploadBytes || 4n << 30n),
    chunkTokens: given?.chunkTokens || 320,
    chunkOverlapTokens: given?.chunkOverlapTokens ?? 40,
    maxAttempts: given?.maxAttempts || 5,
    leaseMs: given?.leaseMs || 10_000,
    keptVersions: 1 + (config.retrieval?.keptVersions ?? 2),
  };
  if (settings.chunkTokens < 16) {
    throw new ConfigError('indexer.chunk_tokens', `is ${settings.chunkTokens}`, ['16 to 8192']);
  }
  const overlapMax = Math.floor(settings.chunkTokens / 2);
  if (settings.chunkOverlapTokens > overlapMax) {
    throw new ConfigError('indexer.chunk_overlap_tokens', `is ${settings.chunkOverlapTokens}, more than half a chunk`, [
      `0 to ${overlapMax}`,
    ]);
  }
  if (settings.leaseMs < 1000) throw new ConfigError('indexer.lease_ms', `is ${settings.leaseMs}`, ['1000 to 3600000']);
  return Object.freeze(settings);
}
