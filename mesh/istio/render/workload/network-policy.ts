import type { Store } from '#kit/host/deployment.ts';
import type { Gateway, Installation } from '../../model/installation.ts';
import { calleesOf, callersOf, type Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf, selectorOf } from '../objects.ts';

/** Ports of the mesh itself: the control plane, and the metrics of process and sidecar together. */
export const meshPorts = { istiod: 15012, metrics: 15020 };
/** Ports of stores, in a cluster or outside. */
const storePorts: Readonly<Record<Store, readonly number[]>> = {
  postgres: [5432],
  redis: [6379],
  vectors: [6333, 6334, 19530],
  keywords: [9200],
  queue: [9092],
  objects: [9000, 443],
};
/** Ports of a collector of traces: OTLP over gRPC and HTTP. */
const tracePorts = [4317, 4318];

/**
 * Returns which packets reach the pods of a workload and leave them: the matrix of calls once more, below the mesh. It holds even if a
 * sidecar is absent or bypassed.
 */
export function renderNetworkPolicy(workload: Workload, model: Model): KubeObject {
  const { installation } = model;
  const { ports, gateways } = installation;
  const callers = [...callersOf(model, workload.name).keys()];
  const callees = [...calleesOf(model, workload.name).keys()];
  const ingress = [
    ...(callers.length > 0 ? [{ from: [podsOf(callers)], ports: tcp(ports.grpc) }] : []),
    ...(workload.isEntry ? [{ from: [gatewayPods(gateways.ingress)], ports: tcp(ports.edge) }] : []),
    { from: [namespaceOf(installation.monitoringNamespace)], ports: tcp(meshPorts.metrics) },
  ];
  const egress = [
    ...baseEgress(installation),
    ...(callees.length > 0 ? [{ to: [podsOf(callees)], ports: tcp(ports.grpc) }] : []),
    ...(workload.stores.length > 0
      ? [
          {
            to: [namespaceOf(installation.storesNamespace)],
            ports: tcp(...workload.stores.flatMap((store) => storePorts[store])),
          },
        ]
      : []),
    ...(workload.callsProviders ? [{ to: [gatewayPods(gateways.egress)], ports: tcp(8443) }] : []),
  ];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(workload, model),
    spec: { podSelector: { matchLabels: selectorOf(workload) }, policyTypes: ['Ingress', 'Egress'], ingress, egress },
  };
}

/** Returns the policy that refuses all packets in a namespace that no other policy allows. */
export function renderDefaultDeny(namespace: string): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'allow-nothing', namespace },
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  };
}

/** Returns what every pod of the mesh reaches: names, the control plane, and the collector of traces. */
export function baseEgress({ rootNamespace, monitoringNamespace }: Installation): object[] {
  return [
    {
      to: [{ ...namespaceOf('kube-system'), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
      ports: [
        { protocol: 'UDP', port: 53 },
        { protocol: 'TCP', port: 53 },
      ],
    },
    {
      to: [{ ...namespaceOf(rootNamespace), podSelector: { matchLabels: { app: 'istiod' } } }],
      ports: tcp(meshPorts.istiod),
    },
    { to: [namespaceOf(monitoringNamespace)], ports: tcp(...tracePorts) },
  ];
}

/** Returns the peer that is any pod of a namespace. */
export function namespaceOf(name: string): { namespaceSelector: object } {
  return { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } };
}

/** Returns the peer that is the pods of a gateway. */
export function gatewayPods({ name, namespace }: Gateway): object {
  return { ...namespaceOf(namespace), podSelector: { matchLabels: { istio: name } } };
}

/** Returns ports of TCP. */
export function tcp(...ports: readonly number[]): object[] {
  return ports.map((port) => ({ protocol: 'TCP', port }));
}

function podsOf(workloads: readonly string[]): object {
  return { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: workloads }] } };
}
