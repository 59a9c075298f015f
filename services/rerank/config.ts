import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type NamedAdapterSettings, readNamedAdapters } from '#kit/named-adapters.ts';

/** Settings of the rerank service. */
export interface RerankSettings {
  /** The models; the first one is the default. Where one fails, the next is tried. */
  readonly models: readonly NamedAdapterSettings[];
}

/** The settings from the configuration. Default: one model, by the adapter `lexical`. */
export function readConfig(config: Config): RerankSettings {
  return Object.freeze({ models: readNamedAdapters(config.rerank?.models ?? [], 'rerank.models', 'lexical') });
}
