import { create, equals } from '@bufbuild/protobuf';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { problemsOf, throwProblems } from '../../base/config-error.ts';
import type { Logger } from '../../base/log.ts';
import type { KeyedSigner, TokenVerifier } from '../../rpc/identity.ts';
import { loadIdentityKeys } from '../../rpc/identity-keys.ts';
import { type ConfigInForce, inForceAfterReload } from '../config/config-in-force.ts';
import type { RunningService, ServiceDefinition } from '../define-service.ts';

type Running = ReadonlyMap<string, RunningService>;

/** What makes and checks the tokens of the process. */
interface Identity {
  signer: KeyedSigner | undefined;
  verifier: TokenVerifier;
}

/**
 * Creates what hands new configurations to running services, one at a time: all that can take one take it, or none does. `first`:
 * the configuration that they run with. `onInForce`: gets what is in force after each change. The log names what has changed and needs a
 * restart.
 */
export function createReconfigure(
  services: readonly ServiceDefinition[],
  running: Running,
  identity: Identity,
  first: Config,
  log: Logger,
  onInForce: (inForce: ConfigInForce) => void,
): (config: Config) => Promise<void> {
  let current = first;
  let last: Promise<void> = Promise.resolve();
  const take = async (config: Config) => {
    const able = services.flatMap((definition) => {
      const service = running.get(definition.name);
      return service?.reconfigure === undefined ? [] : [{ definition, service }];
    });
    // Every section is read before any service gets it; services without `reconfigure` have theirs checked as at the start.
    throwProblems(services.flatMap((definition) => problemsOf(() => definition.config(config))));
    const keys = loadIdentityKeys(config.identity, first.dataDir);
    const taken: typeof able = [];
    try {
      for (const one of able) {
        await one.service.reconfigure?.(one.definition.config(config));
        taken.push(one);
      }
    } catch (error) {
      for (const { definition, service } of taken.reverse()) await service.reconfigure?.(definition.config(current));
      throw error;
    }
    current = config;
    // Accepted keys first: no other process gets a token of a key that this one would refuse.
    identity.verifier.use(keys);
    if (keys.privateKey !== undefined) identity.signer?.use(keys.privateKey);
    const sections = sectionsToRestart(services, running, first, config);
    onInForce(inForceAfterReload(first, config, sections));
    if (sections.length > 0) {
      log.warn({ event: 'config_needs_restart', sections }, 'changed sections need a restart');
    }
  };
  return (config) => {
    const turn = last.then(() => take(config));
    last = turn.catch(() => {});
    return turn;
  };
}

/** Sections of the process itself. */
const processSections = ['data_dir', 'grpc', 'admin', 'telemetry', 'addresses'];

/** Returns the sections that differ from those of the start, and that no running service takes while it runs. */
function sectionsToRestart(
  services: readonly ServiceDefinition[],
  running: Running,
  first: Config,
  now: Config,
): string[] {
  const fixed = services.filter(({ name }) => running.get(name)?.reconfigure === undefined);
  const names = new Set([...processSections, ...fixed.map(({ name }) => name.replaceAll('-', '_'))]);
  return ConfigSchema.fields
    .filter(({ name, localName }) => {
      if (!names.has(name)) return false;
      const only = (config: Config) => create(ConfigSchema, { [localName]: config[localName as keyof Config] });
      return !equals(ConfigSchema, only(first), only(now));
    })
    .map(({ name }) => name)
    .concat(hasSigner(first) === hasSigner(now) ? [] : ['identity']);
}

// A process that gets its first private key, or loses it, makes other services.
function hasSigner({ identity }: Config): boolean {
  return Boolean(identity?.privateKey) || !identity?.publicKey;
}
