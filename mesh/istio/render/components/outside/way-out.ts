import { principalOf } from '../../../model/installation.ts';
import type { Model } from '../../../model/model.ts';
import type { Workload } from '../../../model/workload.ts';
import { egressPorts } from '../../mesh/egress.ts';
import type { KubeObject } from '../../objects.ts';

/** A host outside of the mesh, and who may call it. */
export interface WayOut {
  /** Name of its objects. */
  readonly name: string;
  readonly host: string;
  readonly callers: readonly Workload[];
}

/** File of the proxy image with the certificates of public authorities. */
const authorities = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Returns the objects that open the way to a host outside. Pods call `http://<host>`: their sidecar takes the call to the egress gateway by
 * mTLS, which checks who calls, and the gateway begins TLS to the host and checks its certificate and name.
 */
export function renderWayOut(way: WayOut, model: Model): KubeObject[] {
  const { name, host } = way;
  const { installation } = model;
  const { egress } = installation.gateways;
  const visible = { exportTo: ['.', installation.namespace] };
  const metadata = { name, namespace: egress.namespace };
  const gatewayHost = `${egress.name}.${egress.namespace}.svc.cluster.local`;
  const serviceEntry: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata,
    spec: {
      ...visible,
      hosts: [host],
      location: 'MESH_EXTERNAL',
      resolution: 'DNS',
      // No port for TLS: sidecars would pass connections with the name of the host, past the gateway.
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 443 }],
    },
  };
  const gateway: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata,
    spec: {
      selector: { istio: egress.name },
      servers: [
        {
          port: { number: egressPorts.service, name: `https-${name}`, protocol: 'HTTPS' },
          hosts: [host],
          tls: { mode: 'ISTIO_MUTUAL' },
        },
      ],
    },
  };
  const route: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata,
    spec: {
      ...visible,
      hosts: [host],
      gateways: ['mesh', `${egress.namespace}/${name}`],
      // The services retry themselves: they know which answers are worth it, and that a generation costs money.
      http: [
        {
          name: 'to-gateway',
          match: [{ gateways: ['mesh'], port: 80 }],
          route: [{ destination: { host: gatewayHost, subset: name, port: { number: egressPorts.service } } }],
          retries: { attempts: 0 },
        },
        {
          name: 'to-host',
          match: [{ gateways: [`${egress.namespace}/${name}`], port: egressPorts.service }],
          route: [{ destination: { host, port: { number: 80 } } }],
          retries: { attempts: 0 },
        },
      ],
    },
  };
  return [
    serviceEntry,
    gateway,
    route,
    toGateway(name, host, gatewayHost, metadata, visible),
    toHost(host, metadata),
    policyOf(way, metadata, model),
  ];
}

/** How sidecars reach the gateway for this host: by mTLS, with the name of the host, by which the gateway chooses. */
export function toGateway(
  name: string,
  host: string,
  gatewayHost: string,
  { namespace }: { namespace: string },
  visible: object,
): KubeObject {
  const trafficPolicy = {
    portLevelSettings: [{ port: { number: egressPorts.service }, tls: { mode: 'ISTIO_MUTUAL', sni: host } }],
  };
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: `egress-${name}`, namespace },
    spec: { ...visible, host: gatewayHost, subsets: [{ name, trafficPolicy }] },
  };
}

/** How the gateway reaches the host: by TLS, whose certificate it checks. Only the gateway uses this rule. */
function toHost(host: string, metadata: { name: string; namespace: string }): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata,
    spec: {
      exportTo: ['.'],
      host,
      trafficPolicy: {
        portLevelSettings: [
          {
            port: { number: 80 },
            tls: { mode: 'SIMPLE', sni: host, subjectAltNames: [host], caCertificates: authorities },
            connectionPool: { tcp: { connectTimeout: '3s' } },
          },
        ],
      },
    },
  };
}

/** Who may call the host. */
function policyOf(
  { host, callers }: WayOut,
  metadata: { name: string; namespace: string },
  { installation }: Model,
): KubeObject {
  const principals = callers.map(({ name }) => principalOf(name, installation));
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata,
    spec: {
      selector: { matchLabels: { istio: installation.gateways.egress.name } },
      action: 'ALLOW',
      rules: [
        {
          from: [{ source: { principals } }],
          to: [{ operation: { hosts: [host], ports: [String(egressPorts.pod)] } }],
        },
      ],
    },
  };
}
