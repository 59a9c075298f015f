import type { JsonObject } from '@bufbuild/protobuf';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';

/** A kind of server that keeps state of services outside of their processes. */
export type Store = 'postgres' | 'redis' | 'vectors' | 'keywords' | 'queue' | 'objects';

/**
 * How a service is deployed, as far as the contracts do not say it. Manifests derive from both. It describes the service on shared
 * stores, for one cluster under the reference load; overlays change numbers.
 */
export interface Deployment {
  /** Least and most replicas. @default 2 and 6 */
  replicas?: { readonly min: number; readonly max: number };
  /** Cores that a replica requests. @default 0.5 */
  cpu?: number;
  /** Memory of a replica, requested and at most, in MiB. @default 512 */
  memoryMib?: number;
  /** Calls in flight that one replica serves within its objectives: the target of scaling, and the source of all pools. @default 100 */
  callsPerReplica?: number;
  /**
   * Whether its work is done in the background or takes many minutes, so that it never shares a process with services that answer users.
   * @default false
   */
  isOffline?: boolean;
  /** What the number of replicas follows beside CPU: calls in flight, or jobs that wait. @default 'calls' */
  scalesBy?: 'calls' | 'backlog';
  /** Servers that it connects to itself. @default none */
  stores?: readonly Store[];
  /** Whether it calls providers outside of the mesh. Their failures are not treated as failures of its replicas. @default false */
  callsProviders?: boolean;
  /**
   * Whether it calls systems that an installation adds: tools, and the desk of hand-overs. Its pods then may have a key that signs who the caller
   * is; each host needs a component. @default false
   */
  callsTools?: boolean;
  /** Whether it reads from places that an installation names: web sites, help centres, buckets. Each host needs a component. @default false */
  readsSources?: boolean;
  /** Whether it makes tokens, and so needs the private key of the mesh. @default false */
  signsTokens?: boolean;
  /**
   * Whether a replica of another region can answer: it has no state of a region. Calls then fail over by locality. @default false: calls
   * never leave the cluster
   */
  failsOver?: boolean;
  /**
   * Whether a new version can first get a share of the calls, judged by failures, the time to the first text and unsupported claims: it answers
   * questions. @default false
   */
  hasCanary?: boolean;
  /**
   * Longest time for which its streams may finish when a replica stops, in milliseconds.
   * @default the longest timeout of its rpcs, at most {@link longestDrainMs}
   */
  drainMs?: number;
  /**
   * What the configuration of its pods says beside what the mesh decides (addresses, ports, identity, database): the stores that its replicas
   * share. @default nothing
   */
  settings?: JsonObject;
  /** Returns whether replicas share all of its state, so that there can be several. @default whether storage.database is set */
  isShared?(config: Config): boolean;
}

/** Longest time that a replica gets to finish, in milliseconds; the bound of `grpc.drain_ms`. */
export const longestDrainMs = 600_000;

/** Returns the adapter of a Redis that replicas share, for {@link Deployment.settings}: its URL is a variable of the environment. */
export function sharedRedis(): JsonObject {
  return { adapter: 'redis', settings: { url: variable('RAGMESH_REDIS') } };
}

/** Returns a reference to a variable of the environment, which a process replaces when it reads its configuration. */
export function variable(name: string): string {
  return `\${${name}}`;
}
