import type { JsonObject } from '@bufbuild/protobuf';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';

/** Settings of the rerank service. */
export interface RerankSettings {
  /** The models; the first one is the default. */
  readonly models: readonly ModelSettings[];
}

/** A model to load. */
export interface ModelSettings {
  /** Name to call it by; empty: its own. */
  readonly alias: string;
  /** Its adapter. */
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
  /** Where the configuration names it, for errors. */
  readonly path: string;
}

/** The settings from the configuration. Default: one model, by the adapter `lexical`. */
export function readConfig(config: Config): RerankSettings {
  const models: ModelSettings[] = (config.rerank?.models ?? []).map(({ name, adapter, settings }, index) =>
    Object.freeze({ alias: name, adapter, settings, path: `rerank.models[${index}]` }),
  );
  if (models.length === 0) {
    models.push(Object.freeze({ alias: '', adapter: 'lexical', settings: undefined, path: 'rerank.models[0]' }));
  }
  return Object.freeze({ models: Object.freeze(models) });
}
