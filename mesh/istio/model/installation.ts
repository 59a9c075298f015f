import packageJson from '../../../package.json' with { type: 'json' };

/** A gateway: proxies without a service, with an identity of their own. */
export interface Gateway {
  /** Name of its Deployment, Service and ServiceAccount, and the value of the label `istio` of its pods. */
  readonly name: string;
  readonly namespace: string;
}

/** What all manifests of an installation share. */
export interface Installation {
  /** Namespace of the services. */
  readonly namespace: string;
  /** The gateways: from clients, to providers, and between clusters. Each has a namespace of its own. */
  readonly gateways: Readonly<Record<'ingress' | 'egress' | 'eastWest', Gateway>>;
  /** Namespace of databases and other stores: their pods, or the entries of those outside. */
  readonly storesNamespace: string;
  /** Name by which clients reach the edge. */
  readonly publicHost: string;
  /** Namespace of istiod, and so of policies for the whole mesh. */
  readonly rootNamespace: string;
  /** Namespace of Prometheus and the collector of traces. */
  readonly monitoringNamespace: string;
  /** Trust domain of SPIFFE identities. Istio reads "cluster.local" as the trust domain of the mesh, whatever its name. */
  readonly trustDomain: string;
  readonly image: string;
  /** Digest of the image: "sha256:…". @default the image whose tag is {@link version} */
  readonly digest?: string;
  readonly version: string;
  /** User and group of the processes; not 1337, which is the sidecar's. */
  readonly userId: number;
  readonly ports: { readonly grpc: number; readonly admin: number; readonly edge: number };
}

export const installation: Installation = {
  namespace: 'ragmesh',
  gateways: {
    ingress: { name: 'ragmesh-ingress', namespace: 'istio-ingress' },
    egress: { name: 'ragmesh-egress', namespace: 'istio-egress' },
    eastWest: { name: 'ragmesh-eastwest', namespace: 'istio-eastwest' },
  },
  storesNamespace: 'ragmesh-stores',
  publicHost: 'ragmesh.example.com',
  rootNamespace: 'istio-system',
  monitoringNamespace: 'monitoring',
  trustDomain: 'cluster.local',
  image: 'ragmesh',
  version: packageJson.version,
  userId: 10001,
  ports: { grpc: 50051, admin: 9464, edge: 8080 },
};

/** Returns the image that pods run: by its digest, or by the version as its tag. */
export function imageOf({ image, version, digest }: Pick<Installation, 'image' | 'version' | 'digest'>): string {
  return digest === undefined ? `${image}:${version}` : `${image}@${digest}`;
}

/** Returns the name by which the mesh knows a service. */
export function hostOf(workload: string, { namespace }: Installation): string {
  return `${workload}.${namespace}.svc.cluster.local`;
}

/** Returns the identity of a workload as policies name it. */
export function principalOf(workload: string, { namespace, trustDomain }: Installation): string {
  return `${trustDomain}/ns/${namespace}/sa/${workload}`;
}

/** Returns the identity of a gateway as policies name it. */
export function gatewayPrincipalOf({ name, namespace }: Gateway, { trustDomain }: Installation): string {
  return `${trustDomain}/ns/${namespace}/sa/${name}`;
}
