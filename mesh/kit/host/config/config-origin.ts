import { create, getExtension, setExtension } from '@bufbuild/protobuf';
import { type ConfigOrigin, ConfigOriginSchema, origin } from '#gen/ragmesh/config/v1/config_origin_pb.ts';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';

// An extension stays with the message when it is copied or sent to another process of a group, and no file can set it.

/** Returns the origin of a configuration's values; of one that was not read from a file, an empty origin. */
export function originOf(config: Config): ConfigOrigin {
  return getExtension(config, origin);
}

/** Notes the origin of a configuration's values, in place of what is noted. */
export function setOrigin(config: Config, { file, environmentPaths }: Omit<ConfigOrigin, '$typeName'>): void {
  setExtension(config, origin, create(ConfigOriginSchema, { file, environmentPaths }));
}
