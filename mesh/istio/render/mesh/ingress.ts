import { type Gateway, hostOf, type Installation } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import type { KubeObject } from '../objects.ts';
import { tcp } from '../workload/network-policy.ts';
import { renderGatewayPods } from './gateway-pods.ts';

/** Headers by which a client could ask proxies for retries and timeouts, or claim an identity. None of them is the client's to set. */
const strippedHeaders = [
  'x-envoy-max-retries',
  'x-envoy-retry-grpc-on',
  'x-envoy-retry-on',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-ms',
  'x-forwarded-client-cert',
];

/** Returns the gateway by which clients reach the edge: TLS ends here, plain HTTP is redirected. */
export function renderIngress(installation: Installation): KubeObject[] {
  const { namespace, gateways, publicHost, ports } = installation;
  const { ingress } = gateways;
  const toEdge = {
    to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }],
    ports: tcp(ports.edge),
  };
  return [
    ...renderGatewayPods(ingress, installation, {
      ports: [
        { name: 'http2', port: 80, targetPort: 8080 },
        { name: 'https', port: 443, targetPort: 8443 },
      ],
      isExternal: true,
      egress: [toEdge],
    }),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'ragmesh', namespace: ingress.namespace },
      spec: {
        selector: { istio: ingress.name },
        servers: [
          {
            port: { number: 443, name: 'https', protocol: 'HTTPS' },
            hosts: [publicHost],
            tls: { mode: 'SIMPLE', credentialName: 'ragmesh-tls', minProtocolVersion: 'TLSV1_2' },
          },
          { port: { number: 80, name: 'http2', protocol: 'HTTP' }, hosts: [publicHost], tls: { httpsRedirect: true } },
        ],
      },
    },
    renderIngressPolicy(installation),
    ...renderCredentialsRole(ingress),
  ];
}

/** Returns the right to read the Secrets of its namespace: istiod gives a gateway certificates for clients only if its account could read them. */
function renderCredentialsRole({ name, namespace }: Gateway): KubeObject[] {
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/part-of': 'ragmesh' } };
  const group = 'rbac.authorization.k8s.io';
  return [
    {
      apiVersion: `${group}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }],
    },
    {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: group, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ];
}

/** Returns which requests the gateway passes: those for the public name. */
function renderIngressPolicy({ gateways: { ingress }, publicHost }: Installation): KubeObject {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: ingress.name, namespace: ingress.namespace },
    spec: {
      selector: { matchLabels: { istio: ingress.name } },
      action: 'ALLOW',
      rules: [{ to: [{ operation: { hosts: [publicHost, `${publicHost}:*`] } }] }],
    },
  };
}

/** Returns the route from the gateway to the edge. It neither retries nor ends calls: most are streams, and many change something. */
export function renderIngressRoute(model: Model): KubeObject | undefined {
  const { installation, workloads } = model;
  const entry = workloads.find(({ isEntry }) => isEntry);
  if (entry === undefined) return undefined;
  const { namespace, gateways, publicHost, ports } = installation;
  const host = hostOf(entry.name, installation);
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'ragmesh-ingress', namespace },
    spec: {
      hosts: [publicHost],
      gateways: [`${gateways.ingress.namespace}/ragmesh`],
      http: [
        {
          name: 'edge',
          route: [{ destination: { host, port: { number: ports.edge } } }],
          headers: { request: { remove: strippedHeaders } },
          retries: { attempts: 0 },
        },
      ],
    },
  };
}
