import type { Store } from '#kit/host/deployment.ts';
import type { Model } from '../../model/model.ts';
import { restrictedNamespace } from '../mesh/gateway-pods.ts';
import type { KubeObject } from '../objects.ts';
import { tcp } from '../workload/network-policy.ts';
import type { Component } from './component.ts';

/** A store outside of the cluster. Its host and address are examples: an overlay replaces them. */
interface StoreOutside {
  readonly name: string;
  readonly store: Store;
  readonly host: string;
  readonly address: string;
  readonly ports: readonly number[];
}

/** Stores that every installation has. */
const always: readonly StoreOutside[] = [
  { name: 'postgres', store: 'postgres', host: 'postgres.example.com', address: '192.0.2.10/32', ports: [5432] },
  { name: 'redis', store: 'redis', host: 'redis.example.com', address: '192.0.2.20/32', ports: [6379] },
];

/** Stores that some installations have in the place of PostgreSQL. */
const further: readonly StoreOutside[] = [
  { name: 'qdrant', store: 'vectors', host: 'qdrant.example.com', address: '192.0.2.30/32', ports: [6333, 6334] },
  {
    name: 'elasticsearch',
    store: 'keywords',
    host: 'elasticsearch.example.com',
    address: '192.0.2.40/32',
    ports: [9200],
  },
  { name: 'kafka', store: 'queue', host: 'kafka.example.com', address: '192.0.2.50/32', ports: [9092] },
];

/** Returns the component for PostgreSQL and Redis outside of the cluster: the mesh knows their hosts, and the packets of their users may leave. */
export function renderStoresExternal(model: Model): Component {
  const name = model.installation.storesNamespace;
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: restrictedNamespace } };
  const resources = { 'stores.yaml': [namespace, ...always.flatMap((each) => objectsOf(each, model))] };
  return { path: 'stores-external', resources };
}

/** Returns a component for each further store outside of the cluster. */
export function renderFurtherStores(model: Model): Component[] {
  return further.map((each) => ({
    path: `stores-external/${each.name}`,
    resources: { 'store.yaml': objectsOf(each, model) },
  }));
}

function objectsOf(outside: StoreOutside, model: Model): KubeObject[] {
  return [entryOf(outside, model), packetsTo(outside, model)];
}

function entryOf({ name, host, address, ports }: StoreOutside, { installation }: Model): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: installation.storesNamespace },
    spec: {
      exportTo: ['.', installation.namespace],
      hosts: [host],
      addresses: [address],
      location: 'MESH_EXTERNAL',
      // Connections of TCP carry no name: the mesh knows them by their address, and leaves it as it is.
      resolution: 'NONE',
      ports: ports.map((number, at) => ({
        number,
        name: at === 0 ? `tcp-${name}` : `tcp-${name}-${at + 1}`,
        protocol: 'TCP',
      })),
    },
  };
}

/** Returns which packets may leave to a store outside: those of the workloads that use it. */
function packetsTo({ name, store, address, ports }: StoreOutside, { workloads, installation }: Model): KubeObject {
  const users = workloads.filter(({ stores }) => stores.includes(store)).map((workload) => workload.name);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `store-${name}`, namespace: installation.namespace },
    spec: {
      podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: users }] },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: address } }], ports: tcp(...ports) }],
    },
  };
}
