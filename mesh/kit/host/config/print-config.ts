import { stringify } from 'yaml';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { showConfig } from './shown-config.ts';

/** Returns what {@link showConfig} returns as YAML. */
export async function printConfig(config: Config, services: URL): Promise<string> {
  return stringify(await showConfig(config, services), { lineWidth: 0 });
}
