import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { problemsOf, throwProblems } from './config-error.ts';
import type { RunningService, ServiceDefinition } from './define-service.ts';

type Running = ReadonlyMap<string, RunningService>;

/**
 * Creates what hands new configurations to running services, one at a time: all that can take one take it, or none does. `first`:
 * the configuration that they run with.
 */
export function createReconfigure(
  services: readonly ServiceDefinition[],
  running: Running,
  first: Config,
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
  };
  return (config) => {
    const turn = last.then(() => take(config));
    last = turn.catch(() => {});
    return turn;
  };
}
