import type { JsonObject } from '@bufbuild/protobuf';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';

/** Settings of the gateway. */
export interface LlmSettings {
  /** The models of the configuration; empty: those that the environment gives. */
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

/** The settings from the configuration. */
export function readConfig(config: Config): LlmSettings {
  const models = (config.llm?.models ?? []).map(({ name, adapter, settings }, index) =>
    Object.freeze({ alias: name, adapter, settings, path: `llm.models[${index}]` }),
  );
  return Object.freeze({ models: Object.freeze(models) });
}
