import { calleesOf, type Model } from '../../model/model.ts';
import { type Region, regions, sharedHosts } from '../../model/regions.ts';
import { type Patch, patchesOf } from '../components/component.ts';
import { renderKustomization } from '../kustomization.ts';
import { renderGatewayPods } from '../mesh/gateway-pods.ts';
import { type KubeObject, meshTokenLabel, toYaml } from '../objects.ts';
import { gatewayPods, tcp } from '../workload/network-policy.ts';

/** Port of gateways between regions. */
const eastWestPort = 15443;

/** Returns the files of a region's overlay, by their path under the folder of manifests. */
export function regionFiles(region: Region, model: Model): Map<string, string> {
  const top = `overlays/region-${region.name}`;
  const components = [
    'mesh-token',
    'end-user-jwt',
    'stores-external',
    'monitoring',
    'keda',
    ...region.providers.map((provider) => `providers/${provider}`),
  ];
  const kustomization = renderKustomization(['../../topologies/services', 'east-west.yaml', 'residency.yaml'], {
    components: components.map((component) => `../../components/${component}`),
    ...patchesOf([regionLabel(region)]),
  });
  return new Map([
    [`${top}/kustomization.yaml`, toYaml(kustomization)],
    [`${top}/east-west.yaml`, toYaml(...eastWest(region, model), ...packetsBetweenRegions(model))],
    [`${top}/residency.yaml`, toYaml(...residency(region, model))],
  ]);
}

/** Metrics name their region. */
function regionLabel({ name }: Region): Patch {
  return {
    target: { group: 'monitoring.coreos.com', kind: 'PodMonitor' },
    change: [
      {
        op: 'add',
        path: '/spec/podMetricsEndpoints/0/relabelings/-',
        value: { targetLabel: 'region', replacement: name },
      },
    ],
  };
}

/** The gateway for calls from other regions: it passes the connections of named hosts and of no other, without opening them. */
export function eastWest({ name: region }: Region, model: Model): KubeObject[] {
  const { installation, workloads } = model;
  const { eastWest: gateway } = installation.gateways;
  const shared = workloads.filter(({ failsOver }) => failsOver).map(({ name }) => name);
  return [
    ...renderGatewayPods(gateway, installation, {
      ports: [
        { name: 'http-status', port: 15021, targetPort: 15021 },
        { name: 'tls', port: eastWestPort, targetPort: eastWestPort },
      ],
      isExternal: true,
      labels: { 'topology.istio.io/network': region },
      env: [{ name: 'ISTIO_META_REQUESTED_NETWORK_VIEW', value: region }],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': installation.namespace } },
              podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: shared }] },
            },
          ],
          ports: tcp(installation.ports.grpc),
        },
      ],
    }),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'between-regions', namespace: gateway.namespace },
      spec: {
        selector: { istio: gateway.name },
        servers: [
          {
            port: { number: eastWestPort, name: 'tls', protocol: 'TLS' },
            tls: { mode: 'AUTO_PASSTHROUGH' },
            hosts: sharedHosts(model),
          },
        ],
      },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: gateway.name, namespace: gateway.namespace },
      spec: {
        selector: { matchLabels: { istio: gateway.name } },
        action: 'ALLOW',
        rules: [
          {
            to: [{ operation: { ports: [String(eastWestPort)] } }],
            when: [{ key: 'connection.sni', values: sharedHosts(model).map((host) => `*.${host}`) }],
          },
        ],
      },
    },
  ];
}

/**
 * What keeps tenants in their region: sidecars refuse calls for tenants that are bound to another one, by the token of the mesh; and the gateway
 * refuses users whose own token names another region.
 */
export function residency({ name }: Region, { installation }: Model): KubeObject[] {
  const others = regions.filter((region) => region.name !== name);
  const { namespace, gateways } = installation;
  return [
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'bound-tenants', namespace },
      spec: {
        selector: { matchLabels: meshTokenLabel },
        action: 'DENY',
        rules: [
          {
            when: [
              {
                key: 'request.auth.claims[principal][tenant]',
                values: others.flatMap(({ boundTenants }) => boundTenants),
              },
            ],
          },
        ],
      },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'bound-users', namespace: gateways.ingress.namespace },
      spec: {
        selector: { matchLabels: { istio: gateways.ingress.name } },
        action: 'DENY',
        rules: [{ when: [{ key: 'request.auth.claims[region]', values: others.map((region) => region.name) }] }],
      },
    },
  ];
}

/** Packets to and from other regions: those of the workloads that fail over, and of their callers. */
export function packetsBetweenRegions(model: Model): KubeObject[] {
  const { installation, workloads } = model;
  const { namespace, gateways, ports } = installation;
  const shared = workloads.filter(({ failsOver }) => failsOver).map(({ name }) => name);
  const callers = workloads
    .filter(({ name }) => [...calleesOf(model, name).keys()].some((callee) => shared.includes(callee)))
    .map(({ name }) => name);
  const policy = (name: string, workloadNames: readonly string[], packets: object): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec: { ...podsOf(workloadNames), ...packets },
  });
  const from = { from: [gatewayPods(gateways.eastWest)], ports: tcp(ports.grpc) };
  const to = { to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: tcp(eastWestPort) };
  return [
    policy('from-other-regions', shared, { policyTypes: ['Ingress'], ingress: [from] }),
    policy('to-other-regions', callers, { policyTypes: ['Egress'], egress: [to] }),
  ];
}

function podsOf(workloads: readonly string[]): object {
  return { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: workloads }] } };
}
