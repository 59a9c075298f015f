import { principalOf } from '../../../model/installation.ts';
import type { Model } from '../../../model/model.ts';
import { egressPorts } from '../../mesh/egress.ts';
import type { KubeObject } from '../../objects.ts';
import { toGateway, type WayOut } from './way-out.ts';

/** Port of TLS at the host. */
const tlsPort = 443;

/**
 * Returns the objects that open the way to a host outside to which pods speak TLS themselves (`https://<host>`), because the addresses are
 * those of the documents. Their sidecar takes the connection, by the name in its first message, to the egress gateway inside of mTLS. The
 * gateway checks who calls and passes the inner TLS to the host, whose certificate the pod checks.
 */
export function renderTlsWayOut(way: WayOut, model: Model): KubeObject[] {
  const { name, host, callers } = way;
  const { installation } = model;
  const { egress } = installation.gateways;
  const visible = { exportTo: ['.', installation.namespace] };
  const metadata = { name, namespace: egress.namespace };
  const gatewayHost = `${egress.name}.${egress.namespace}.svc.cluster.local`;
  const object = (group: 'networking' | 'security', kind: string, spec: object): KubeObject => ({
    apiVersion: `${group}.istio.io/v1`,
    kind,
    metadata,
    spec,
  });
  return [
    object('networking', 'ServiceEntry', {
      ...visible,
      hosts: [host],
      location: 'MESH_EXTERNAL',
      resolution: 'DNS',
      ports: [{ number: tlsPort, name: 'tls', protocol: 'TLS' }],
    }),
    object('networking', 'Gateway', {
      selector: { istio: egress.name },
      servers: [
        {
          port: { number: egressPorts.service, name: `tls-${name}`, protocol: 'TLS' },
          hosts: [host],
          tls: { mode: 'ISTIO_MUTUAL' },
        },
      ],
    }),
    object('networking', 'VirtualService', {
      ...visible,
      hosts: [host],
      gateways: ['mesh', `${egress.namespace}/${name}`],
      tls: [
        {
          match: [{ gateways: ['mesh'], port: tlsPort, sniHosts: [host] }],
          route: [{ destination: { host: gatewayHost, subset: name, port: { number: egressPorts.service } } }],
        },
      ],
      tcp: [
        {
          match: [{ gateways: [`${egress.namespace}/${name}`], port: egressPorts.service }],
          route: [{ destination: { host, port: { number: tlsPort } } }],
        },
      ],
    }),
    toGateway(name, host, gatewayHost, metadata, visible),
    object('security', 'AuthorizationPolicy', {
      selector: { matchLabels: { istio: egress.name } },
      action: 'ALLOW',
      rules: [
        {
          from: [{ source: { principals: callers.map((caller) => principalOf(caller.name, installation)) } }],
          to: [{ operation: { ports: [String(egressPorts.pod)] } }],
          // What is inside of the connection is encrypted: its name is the one by which the gateway chose the route.
          when: [{ key: 'connection.sni', values: [host] }],
        },
      ],
    }),
  ];
}
