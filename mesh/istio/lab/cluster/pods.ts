import type { KubeObject } from '../../render/objects.ts';
import { type Manifests, ofKind } from './manifests.ts';

/** A port of a Service. */
export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly targetPort?: number | string;
}

/** A Service, as far as the lab reads it. */
export interface Service extends KubeObject {
  readonly kind: 'Service';
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Record<string, string> };
  readonly spec: { readonly type?: string; readonly selector: Record<string, string>; readonly ports: ServicePort[] };
}

/** A container of a Deployment, as far as the lab reads it. */
export interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: { readonly memory: string } };
}

/** The specification of a pod; the lab reads a part of it. */
export interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly Container[];
}

/** A Deployment, as far as the lab reads it. */
export interface Deployment extends KubeObject {
  readonly kind: 'Deployment';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> };
      readonly spec: PodSpec;
    };
  };
}

/** A replica of a Deployment, in the place of one that Kubernetes would start. */
export interface Pod {
  /** "eu-chat-1": unique in the lab. */
  readonly name: string;
  readonly cluster: string;
  readonly deployment: string;
  readonly namespace: string;
  readonly account: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  readonly isGateway: boolean;
  readonly container: Container;
  readonly spec: PodSpec;
}

/** A Service with the address by which pods of its cluster call it. */
export interface Place {
  readonly service: Service;
  readonly address: string;
  /** Address by which others reach it, if it is one for clients outside of the cluster. */
  readonly externalAddress?: string;
}

/** A cluster as Kubernetes would run it. */
export interface Cluster {
  readonly manifests: Manifests;
  readonly pods: readonly Pod[];
  readonly places: readonly Place[];
}

/** How a cluster is placed in the networks of the lab. */
export interface Placement {
  /** Its number, which is part of all of its addresses: 1 to 9. */
  readonly index: number;
  /** Replicas of a Deployment; 0: none. */
  readonly replicasOf: (deployment: string) => number;
}

/** Network of the pods of a cluster, without its last number. */
export const podNetwork = (index: number): string => `10.77.${index}`;

/** Address of the gateway of cluster `index`, in the network of the cluster that calls it. */
const gatewayAddress = (index: number, callerIndex: number) => `${podNetwork(callerIndex)}.${200 + index}`;

/** Returns the pods of a cluster and the addresses of its services. The same input gives the same addresses. */
export function placeCluster(manifests: Manifests, { index, replicasOf }: Placement): Cluster {
  const deployments = ofKind<Deployment>(manifests, 'Deployment');
  const pods = deployments.flatMap((deployment, at) =>
    Array.from({ length: replicasOf(deployment.metadata.name) }, (_, copy) =>
      podOf(deployment, manifests.cluster, copy + 1, `${podNetwork(index)}.${10 + at * 5 + copy}`),
    ),
  );
  const places = ofKind<Service>(manifests, 'Service').map((service, at) => ({
    service,
    address: `10.96.${index}.${10 + at}`,
    // There are two networks, so the caller of a gateway between them is in the other one.
    ...(service.spec.type === 'LoadBalancer' && { externalAddress: gatewayAddress(index, index === 1 ? 2 : 1) }),
  }));
  return { manifests, pods, places };
}

function podOf({ metadata, spec }: Deployment, cluster: string, copy: number, address: string): Pod {
  const { metadata: template, spec: pod } = spec.template;
  const [container] = pod.containers;
  if (container === undefined) throw new Error(`Deployment ${metadata.name} has no container`);
  return {
    name: `${cluster}-${metadata.name}-${copy}`,
    cluster,
    deployment: metadata.name,
    namespace: metadata.namespace,
    account: pod.serviceAccountName,
    labels: template.labels,
    address,
    isGateway: container.name === 'istio-proxy',
    container,
    spec: pod,
  };
}

/** Returns the pods that a Service selects. */
export function podsOf({ spec, metadata }: Service, pods: readonly Pod[]): Pod[] {
  const wanted = Object.entries(spec.selector);
  return pods.filter(
    ({ namespace, labels }) =>
      namespace === metadata.namespace && wanted.every(([name, value]) => labels[name] === value),
  );
}
