import type { Installation } from '../../model/installation.ts';
import type { KubeObject } from '../objects.ts';
import { namespaceOf, tcp } from '../workload/network-policy.ts';
import { renderGatewayPods } from './gateway-pods.ts';

/** Port of the gateway to providers, and that of its pods. */
export const egressPorts = { service: 443, pod: 8443 };

/**
 * Returns the gateway by which calls to providers leave, and no other packet: pods of the mesh reach it, and it reaches the internet on 443. It
 * passes nothing until a provider is added (`components/providers`).
 */
export function renderEgress(installation: Installation): KubeObject[] {
  const { namespace, gateways } = installation;
  const { egress } = gateways;
  return [
    ...renderGatewayPods(egress, installation, {
      ports: [{ name: 'tls', port: egressPorts.service, targetPort: egressPorts.pod }],
      isExternal: false,
      from: [namespaceOf(namespace)],
      egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: privateAddresses } }], ports: tcp(443) }],
    }),
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'allow-nothing', namespace: egress.namespace },
      spec: {},
    },
  ];
}

/** Addresses inside of networks: a name of a provider that resolves to one of them is not a provider. */
const privateAddresses = ['10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'];
