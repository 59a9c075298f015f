import type { Model } from '../../model/model.ts';
import { renderIngressRoute } from '../mesh/ingress.ts';
import type { KubeObject } from '../objects.ts';
import { type Component, removalOf } from './component.ts';

/**
 * Returns the component that uses the Gateway API of Kubernetes instead of Istio's own objects at the entrance. The pods of the gateway stay the
 * same, and so do their identity and the policies.
 */
export function renderGatewayApi(model: Model): Component {
  const { gateways, publicHost, namespace, ports } = model.installation;
  const { ingress } = gateways;
  const entry = model.workloads.find(({ isEntry }) => isEntry);
  const istioRoute = renderIngressRoute(model);
  if (entry === undefined || istioRoute === undefined) throw new Error('no workload serves clients from outside');
  const gateway: KubeObject = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'ragmesh', namespace: ingress.namespace },
    spec: {
      gatewayClassName: 'istio',
      addresses: [{ type: 'Hostname', value: `${ingress.name}.${ingress.namespace}.svc.cluster.local` }],
      listeners: [
        {
          name: 'https',
          hostname: publicHost,
          port: 443,
          protocol: 'HTTPS',
          tls: { mode: 'Terminate', certificateRefs: [{ name: 'ragmesh-tls' }] },
          allowedRoutes: {
            namespaces: { from: 'Selector', selector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
          },
        },
      ],
    },
  };
  const route: KubeObject = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'ragmesh-ingress', namespace },
    spec: {
      parentRefs: [{ name: 'ragmesh', namespace: ingress.namespace, sectionName: 'https' }],
      hostnames: [publicHost],
      // gRPC, gRPC-Web, Connect, server-sent events and JSON share one port; an HTTPRoute carries all of them.
      rules: [{ backendRefs: [{ name: entry.name, port: ports.edge }] }],
    },
  };
  const istioGateway = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'ragmesh', namespace: ingress.namespace },
  };
  return {
    path: 'gateway-api',
    resources: { 'gateway.yaml': [gateway, route] },
    patches: [istioGateway, istioRoute].map(removalOf),
  };
}
