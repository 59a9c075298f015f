import { type Config, EmbeddingConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type NamedAdapterSettings, readNamedAdapters } from '#kit/host/config/named-adapters.ts';

/** Settings of the embedding service. */
export interface EmbeddingSettings {
  /** The models; the first one is the default. */
  readonly models: readonly NamedAdapterSettings[];
}

/** Returns the settings from the configuration. */
export function readConfig(config: Config): EmbeddingSettings {
  return Object.freeze({
    models: readNamedAdapters(EmbeddingConfigSchema.field.models, config.embedding?.models ?? [], 'embedding.models'),
  });
}
