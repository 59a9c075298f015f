import { type Config, RerankConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type NamedAdapterSettings, readNamedAdapters } from '#kit/host/config/named-adapters.ts';

/** Settings of the rerank service. */
export interface RerankSettings {
  /** The models; the first one is the default. If one fails, the next is tried. */
  readonly models: readonly NamedAdapterSettings[];
}

/** Returns the settings from the configuration. */
export function readConfig(config: Config): RerankSettings {
  return Object.freeze({
    models: readNamedAdapters(RerankConfigSchema.field.models, config.rerank?.models ?? [], 'rerank.models'),
  });
}
