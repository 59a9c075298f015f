import { ofKind } from './manifests.ts';
import { type Cluster, type Place, type Pod, podsOf, type ServicePort } from './pods.ts';

/**
 * Returns what the API of a cluster would hold: its own objects that matter to a mesh, and those that Kubernetes adds. `isReady`: whether a pod
 * gets calls. @default every pod
 */
export function kubernetesObjects(
  { manifests, pods, places }: Cluster,
  rootNamespace: string,
  isReady: (pod: Pod) => boolean = () => true,
): object[] {
  const { cluster } = manifests;
  return [
    // The network of a cluster is a label of the namespace of its control plane.
    namespace(rootNamespace, { 'topology.istio.io/network': cluster }),
    ...ofKind(manifests, 'Namespace'),
    ...ofKind(manifests, 'ServiceAccount'),
    ...manifests.objects.filter(({ apiVersion }) => apiVersion.startsWith('gateway.networking.k8s.io/')),
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: `${cluster}-a`,
        labels: localityLabels(cluster),
      },
    },
    ...pods.map(podObject),
    ...places.flatMap((place) => [
      serviceObject(place),
      endpointSlice(place, podsOf(place.service, pods.filter(isReady))),
    ]),
  ];
}

function namespace(name: string, labels: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** Returns a pod as a control plane reads it. */
export function podObject({ name, namespace, labels, cluster, account, address, isGateway, container }: Pod): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { ...labels, ...networkLabels(cluster, isGateway) } },
    spec: { serviceAccountName: account, nodeName: `${cluster}-a`, containers: [{ ...container, image: 'lab' }] },
    status: {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

/** Returns the labels of a node, and those that a control plane gives to the proxies on it. A cluster of the lab has one zone. */
export function localityLabels(cluster: string): Record<string, string> {
  return { 'topology.kubernetes.io/region': cluster, 'topology.kubernetes.io/zone': `${cluster}-a` };
}

/** Returns the labels that the injection of a sidecar adds. */
export function networkLabels(cluster: string, isGateway: boolean): Record<string, string> {
  return { 'topology.istio.io/network': cluster, ...(!isGateway && { 'security.istio.io/tlsMode': 'istio' }) };
}

function serviceObject({ service, address, externalAddress }: Place): object {
  return {
    ...service,
    spec: { ...service.spec, clusterIP: address },
    ...(externalAddress !== undefined && { status: { loadBalancer: { ingress: [{ ip: externalAddress }] } } }),
  };
}

/** Returns the replicas of a Service as its callers hear of them. `leaving`: names of pods that end their calls and get no new ones. */
export function endpointSlice({ service }: Place, pods: readonly Pod[], leaving: ReadonlySet<string> = new Set()) {
  const { name, namespace } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: service.spec.ports.map((port) => ({ name: port.name, port: targetPort(port, pods), protocol: 'TCP' })),
    endpoints: pods.map((pod) => {
      const isLeaving = leaving.has(pod.name);
      return {
        addresses: [pod.address],
        conditions: { ready: !isLeaving, serving: true, terminating: isLeaving },
        nodeName: `${pod.cluster}-a`,
        targetRef: { kind: 'Pod', name: pod.name, namespace },
      };
    }),
  };
}

/** Returns the number of the port of the pods; a Service may name it. */
export function targetPort({ port, targetPort: target = port }: ServicePort, pods: readonly Pod[]): number {
  if (typeof target === 'number') return target;
  const named = pods.flatMap(({ container }) => container.ports).find(({ name }) => name === target);
  return named?.containerPort ?? port;
}
