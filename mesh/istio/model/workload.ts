import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { type Deployment, longestDrainMs, type Store } from '#kit/host/deployment.ts';
import { type Rpc, toRpc } from './rpc.ts';

/** Services that run in the same processes: a Deployment, a Service and an identity. */
export interface Workload {
  readonly name: string;
  readonly services: readonly ServiceDefinition[];
  /** What it serves to other workloads. */
  readonly rpcs: readonly Rpc[];
  /** Contracts whose health says that it is ready; the name of the service for one without contracts. */
  readonly healthNames: readonly string[];
  /** Whether it serves clients from outside. */
  readonly isEntry: boolean;
  readonly replicas: { readonly min: number; readonly max: number };
  readonly cpu: number;
  readonly memoryMib: number;
  readonly callsPerReplica: number;
  readonly scalesBy: 'calls' | 'backlog';
  readonly stores: readonly Store[];
  readonly callsProviders: boolean;
  readonly callsTools: boolean;
  readonly readsSources: boolean;
  readonly signsTokens: boolean;
  readonly failsOver: boolean;
  /** Whether a new version first gets a share of the calls. */
  readonly hasCanary: boolean;
  /** Longest time for which calls finish when a replica stops, in milliseconds. */
  readonly drainMs: number;
}

const defaults = {
  replicas: { min: 2, max: 6 },
  cpu: 0.5,
  memoryMib: 512,
  callsPerReplica: 100,
  scalesBy: 'calls',
} as const satisfies Deployment;

/** Returns the workload of services that share their processes: their sum, except that calls in flight share one event loop. */
export function toWorkload(name: string, services: readonly ServiceDefinition[]): Workload {
  const methods = services.flatMap(({ contracts }) => contracts.flatMap((contract) => contract.methods));
  const rpcs = methods.map(toRpc);
  const parts = services.map(({ deployment }) => ({ ...defaults, ...deployment }));
  const has = (flag: 'callsProviders' | 'callsTools' | 'readsSources' | 'signsTokens' | 'hasCanary') =>
    parts.some((part) => part[flag] === true);
  return {
    name,
    services,
    rpcs,
    healthNames: services.flatMap((service) =>
      service.contracts.length === 0 ? [service.name] : service.contracts.map(({ typeName }) => typeName),
    ),
    isEntry: services.some(({ servesPublic }) => servesPublic),
    replicas: {
      min: Math.max(...parts.map(({ replicas }) => replicas.min)),
      max: Math.max(...parts.map(({ replicas }) => replicas.max)),
    },
    // Services of one process share its one event loop: more than two cores serve no replica.
    cpu: Math.min(2, sum(parts.map(({ cpu }) => cpu))),
    memoryMib: sum(parts.map(({ memoryMib }) => memoryMib)),
    callsPerReplica: Math.min(...parts.map(({ callsPerReplica }) => callsPerReplica)),
    scalesBy: parts.every(({ scalesBy }) => scalesBy === 'backlog') ? 'backlog' : 'calls',
    stores: [...new Set(parts.flatMap(({ stores = [] }) => stores))],
    callsProviders: has('callsProviders'),
    callsTools: has('callsTools'),
    readsSources: has('readsSources'),
    signsTokens: has('signsTokens'),
    hasCanary: has('hasCanary'),
    failsOver: parts.every(({ failsOver }) => failsOver === true),
    drainMs: Math.max(...services.map(drainOf)),
  };
}

function drainOf({ contracts, deployment }: ServiceDefinition): number {
  if (deployment?.drainMs !== undefined) return deployment.drainMs;
  const timeouts = contracts.flatMap(({ methods }) => methods.map((method) => toRpc(method).timeoutMs));
  return Math.max(
    0,
    ...timeouts.map((timeoutMs) => (timeoutMs === 0 ? longestDrainMs : Math.min(timeoutMs, longestDrainMs))),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
