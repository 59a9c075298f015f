import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError, problemsOf, unknownName } from '../../base/config-error.ts';
import { readEncryption } from '../../storage/encryption/settings.ts';
import { readStorage } from '../../storage/postgres/settings.ts';
import type { ServiceDefinition } from '../define-service.ts';

/**
 * Returns what is wrong with a configuration beyond its shape and ranges: names in `addresses` that are not of `known` services, a
 * database that cannot be used, and what the services that run here refuse.
 */
export function checkServices(
  config: Config,
  running: readonly ServiceDefinition[],
  known: readonly ServiceDefinition[],
): ConfigError[] {
  const names = known.map(({ name }) => name);
  const addresses = Object.keys(config.addresses)
    .filter((name) => !names.includes(name))
    .map((name) => new ConfigError(`addresses.${name}`, unknownName('service', name, names), names));
  const storage = [() => readStorage(config.storage), () => readEncryption(config.storage?.encryption)].flatMap(
    problemsOf,
  );
  return [...addresses, ...storage, ...running.flatMap((service) => problemsOf(() => service.config(config)))];
}
