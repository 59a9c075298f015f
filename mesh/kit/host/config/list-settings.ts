import { type JsonValue, toJson } from '@bufbuild/protobuf';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { originOf } from './config-origin.ts';
import { showConfig } from './shown-config.ts';

/** A setting, as people may see it. */
export interface ListedSetting {
  /** Path in the file: "retrieval.vector_store.adapter". */
  path: string;
  /** The value as JSON; text without quotation marks, "***" for a secret. */
  value: string;
  source: 'default' | 'file' | 'environment';
}

/** Returns every setting of a configuration with its source, in the order of the contract. `services`: the folder of all services. */
export async function listSettings(config: Config, services: URL): Promise<ListedSetting[]> {
  const set = new Set(leavesOf(toJson(ConfigSchema, config, { useProtoFieldName: true })).map(([path]) => path));
  const fromEnvironment = new Set(originOf(config).environmentPaths);
  const sourceOf = (path: string) => {
    if (fromEnvironment.has(path)) return 'environment';
    return set.has(path) ? 'file' : 'default';
  };
  return leavesOf(await showConfig(config, services)).map(([path, value]) => ({
    path,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    source: sourceOf(path),
  }));
}

/** Returns the plain values in a value, and its empty lists and mappings, each with its path. */
function leavesOf(value: JsonValue, path = ''): [path: string, value: JsonValue][] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
    return path === '' ? [] : [[path, value]];
  if (Array.isArray(value)) return value.flatMap((element, index) => leavesOf(element, `${path}[${index}]`));
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, path === '' ? key : `${path}.${key}`));
}
