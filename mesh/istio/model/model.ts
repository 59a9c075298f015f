import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { allNeeds } from '#kit/host/reach.ts';
import { type Installation, installation as own } from './installation.ts';
import { type Rpc, toRpc } from './rpc.ts';
import { toWorkload, type Workload } from './workload.ts';

/** One cell of the matrix: a workload may call this rpc of another one. */
export interface Call {
  readonly from: string;
  readonly to: string;
  readonly rpc: Rpc;
}

/** What the manifests of one topology derive from. */
export interface Model {
  readonly topology: Topology;
  readonly installation: Installation;
  readonly workloads: readonly Workload[];
  /** Every allowed call between workloads, once, in the order of their names. */
  readonly calls: readonly Call[];
}

/** How services are spread over workloads: each its own, or all that answer users in one ("online"). */
export type Topology = 'services' | 'grouped';

export const topologies: readonly Topology[] = ['services', 'grouped'];

/** Name of the workload of the services that answer users, in the topology `grouped`. */
const onlineName = 'online';

/** Returns the model of a topology. */
export function createModel(
  services: readonly ServiceDefinition[],
  topology: Topology,
  installation: Installation = own,
): Model {
  const workloads = groupsOf(services, topology).map(([name, members]) => toWorkload(name, members));
  return { topology, installation, workloads, calls: callsOf(workloads, services) };
}

function groupsOf(services: readonly ServiceDefinition[], topology: Topology): [string, ServiceDefinition[]][] {
  const sorted = [...services].sort(byName);
  const isApart = ({ deployment }: ServiceDefinition) => topology === 'services' || deployment?.isOffline === true;
  const apart = sorted.filter(isApart).map((service): [string, ServiceDefinition[]] => [service.name, [service]]);
  const online = sorted.filter((service) => !isApart(service));
  return online.length === 0 ? apart : [...apart, [onlineName, online]];
}

function callsOf(workloads: readonly Workload[], services: readonly ServiceDefinition[]): Call[] {
  const cells = new Map<string, Call>();
  for (const from of workloads) {
    for (const { contract, calls } of from.services.flatMap((service) => allNeeds(service, services))) {
      const to = workloads.find(({ services: members }) =>
        members.some(({ contracts }) => contracts.includes(contract)),
      );
      if (to === undefined)
        throw new Error(`no service has the contract ${contract.typeName}, which ${from.name} calls`);
      if (to === from) continue;
      for (const method of contract.methods.filter(({ localName }) => calls.includes(localName))) {
        const rpc = toRpc(method);
        cells.set(`${from.name} ${to.name} ${rpc.path}`, { from: from.name, to: to.name, rpc });
      }
    }
  }
  return [...cells].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, call]) => call);
}

/** Returns who calls a workload: each caller with the rpcs that it may call. */
export function callersOf({ calls }: Model, name: string): Map<string, Rpc[]> {
  return grouped(calls.filter(({ to }) => to === name).map(({ from, rpc }) => [from, rpc]));
}

/** Returns whom a workload calls: each callee with the rpcs that it may call. */
export function calleesOf({ calls }: Model, name: string): Map<string, Rpc[]> {
  return grouped(calls.filter(({ from }) => from === name).map(({ to, rpc }) => [to, rpc]));
}

function grouped(pairs: readonly (readonly [string, Rpc])[]): Map<string, Rpc[]> {
  const found = new Map<string, Rpc[]>();
  for (const [name, rpc] of pairs) found.set(name, [...(found.get(name) ?? []), rpc]);
  return found;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
