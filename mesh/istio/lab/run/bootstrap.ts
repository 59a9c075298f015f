import { networkLabels } from '../cluster/kubernetes.ts';
import type { Pod } from '../cluster/pods.ts';

/** The addresses of a sidecar's control plane and of its certificates: "10.77.1.254:15010". */
export interface ControlPlaneAddresses {
  readonly discovery: string;
  readonly secrets: string;
  /** Whether discovery needs the certificate of the pod. @default false */
  readonly isSecure?: boolean;
}

/** Returns the configuration with which Envoy joins the mesh as the proxy of a pod, as Istio's agent would write it. `adminPath`: its admin socket. */
export function bootstrapOf(
  pod: Pod,
  { discovery, secrets, isSecure }: ControlPlaneAddresses,
  adminPath: string,
): object {
  const { name, namespace, account, cluster, address, labels, deployment, isGateway } = pod;
  const fromDiscovery = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  return {
    node: {
      id: `${isGateway ? 'router' : 'sidecar'}~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `${deployment}.${namespace}`,
      locality: { region: cluster, zone: `${cluster}-a` },
      metadata: {
        CLUSTER_ID: cluster,
        NAMESPACE: namespace,
        NAME: name,
        SERVICE_ACCOUNT: account,
        LABELS: { ...labels, ...networkLabels(cluster, isGateway) },
        NETWORK: cluster,
        MESH_ID: 'ragmesh',
        ISTIO_VERSION: '1.31.0',
        INTERCEPTION_MODE: 'REDIRECT',
        INSTANCE_IPS: address,
        ...metadataOf(pod),
      },
    },
    admin: { address: { pipe: { path: adminPath, mode: 0o666 } } },
    dynamic_resources: {
      lds_config: fromDiscovery,
      cds_config: fromDiscovery,
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
    },
    static_resources: {
      clusters: [
        { ...http2Cluster('xds-grpc', discovery), ...(isSecure && { transport_socket: mutualTls }) },
        http2Cluster('sds-grpc', secrets),
      ],
    },
  };
}

/** Returns metadata that the manifests give a proxy by variables: ISTIO_META_X is X. */
function metadataOf({ container: { env = [] } }: Pod): Record<string, string> {
  const prefix = 'ISTIO_META_';
  const entries = env.filter(({ name }) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(({ name, value = '' }) => [name.slice(prefix.length), value]));
}

function http2Cluster(name: string, to: string): object {
  const [address, port] = to.split(':');
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      [options]: {
        '@type': `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: Number(port) } } } }] },
      ],
    },
  };
}

const fromSecrets = {
  resource_api_version: 'V3',
  api_config_source: {
    api_type: 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'sds-grpc' } }],
  },
};

/** The certificate of the pod, and a control plane that has one of the same root. */
const mutualTls = {
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    sni: 'istiod.istio-system.svc',
    common_tls_context: {
      alpn_protocols: ['h2'],
      tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: fromSecrets }],
      validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: fromSecrets },
    },
  },
};
