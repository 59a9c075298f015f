import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { PipeConnection } from '../../rpc/pipe/connection.ts';
import type { Place, ServiceDefinition } from '../define-service.ts';

/** The part of a process in a group. */
export type GroupPart =
  /** Has the records of the group, and serves them to the workers at `path`; it counts what changes in the file `changesPath`. */
  | { readonly role: 'owner'; readonly path: string; readonly changesPath: string }
  /** Faces the clients of the group. */
  | { readonly role: 'worker'; readonly owner: PipeConnection; readonly changesPath: string };

/** Services by what a process does with them. */
export interface Parts {
  /** Those that run in this process. */
  readonly running: readonly ServiceDefinition[];
  /** Those that do not run in this process, the owner of the group, and whose state is here nevertheless. */
  readonly stateOnly: readonly ServiceDefinition[];
  /** Those that run in the owner of the group, which this process calls. */
  readonly inOwner: readonly ServiceDefinition[];
}

/** Divides the services of a group, or of a process without one. */
export function divide(services: readonly ServiceDefinition[], config: Config, part: GroupPart | undefined): Parts {
  if (part === undefined) return { running: services, stateOnly: [], inOwner: [] };
  const placed = (...places: Place[]) =>
    services.filter((definition) => places.includes(definition.place?.(config) ?? 'owner'));
  if (part.role === 'worker') {
    return { running: placed('workers', 'everywhere'), stateOnly: [], inOwner: placed('owner') };
  }
  return { running: placed('owner', 'everywhere'), stateOnly: placed('workers'), inOwner: [] };
}
