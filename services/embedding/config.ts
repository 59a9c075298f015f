import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type NamedAdapterSettings, readNamedAdapters } from '#kit/named-adapters.ts';

/** Settings of the embedding service. */
export interface EmbeddingSettings {
  /** The models; the first one is the default. */
  readonly models: readonly NamedAdapterSettings[];
}

/** The settings from the configuration. Default: one model, by the adapter `hashing`. */
export function readConfig(config: Config): EmbeddingSettings {
  return Object.freeze({ models: readNamedAdapters(config.embedding?.models ?? [], 'embedding.models', 'hashing') });
}
