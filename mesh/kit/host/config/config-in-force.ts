import { clearField, clone, isFieldSet } from '@bufbuild/protobuf';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { originOf, setOrigin } from './config-origin.ts';

/** What a process runs with now. */
export interface ConfigInForce {
  readonly config: Config;
  /** Sections that have changed in the file since the start, and that only a restart brings into force. */
  readonly sectionsToRestart: readonly string[];
}

/** Returns what is in force after a reload: the new configuration, with the sections of the start that wait for a restart. */
export function inForceAfterReload(first: Config, next: Config, sectionsToRestart: readonly string[]): ConfigInForce {
  const config = clone(ConfigSchema, next);
  for (const field of ConfigSchema.fields.filter(({ name }) => sectionsToRestart.includes(name))) {
    clearField(config, field);
    if (isFieldSet(first, field)) Object.assign(config, { [field.localName]: first[field.localName as keyof Config] });
  }
  const isOld = (path: string) => sectionsToRestart.some((name) => path === name || path.startsWith(`${name}.`));
  const environmentPaths = [
    ...originOf(next).environmentPaths.filter((path) => !isOld(path)),
    ...originOf(first).environmentPaths.filter(isOld),
  ];
  setOrigin(config, { file: originOf(first).file, environmentPaths });
  return { config, sectionsToRestart };
}

/** The configuration in force of a process. */
export interface HeldConfig {
  configInForce(): ConfigInForce;
  /** Brings another one into force. */
  takeConfig(next: ConfigInForce): void;
}

/** Creates what holds the configuration in force of a process; it begins with `first`. */
export function holdConfig(first: Config): HeldConfig {
  let inForce: ConfigInForce = { config: first, sectionsToRestart: [] };
  return {
    configInForce: () => inForce,
    takeConfig(next) {
      inForce = next;
    },
  };
}
