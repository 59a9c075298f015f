import type { Gateway, Installation } from '../../model/installation.ts';
import type { KubeObject } from '../objects.ts';
import { baseEgress, meshPorts, namespaceOf, renderDefaultDeny, tcp } from '../workload/network-policy.ts';

/** What distinguishes the pods of a gateway. */
export interface GatewayPods {
  /** Ports that clients use, and those of the pods, which are not privileged. */
  readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: number }[];
  /** Whether clients outside of the cluster reach it. */
  readonly isExternal: boolean;
  /** Sources of packets to {@link ports}; none: any address. */
  readonly from?: readonly object[];
  /** Destinations of packets, beside those of every pod of the mesh. */
  readonly egress: readonly object[];
  /** Labels and variables of its proxy. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
}

const replicas = { min: 2, max: 10 };
/** Time for streams to end when a pod stops, in seconds: the longest that a service grants. */
const graceSeconds = 620;

/** Returns the namespace of a gateway and what runs in it. The image and the proxy are filled in by Istio's injector. */
export function renderGatewayPods(
  { name, namespace }: Gateway,
  installation: Installation,
  { ports, isExternal, from, egress, labels = {}, env = [] }: GatewayPods,
): KubeObject[] {
  const selector = { istio: name };
  const metadata = { name, namespace, labels: { ...selector, 'app.kubernetes.io/part-of': 'ragmesh', ...labels } };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: restrictedNamespace } },
    renderDefaultDeny(namespace),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        type: isExternal ? 'LoadBalancer' : 'ClusterIP',
        ...(isExternal && { externalTrafficPolicy: 'Local' }),
        selector,
        ports: ports.map((port) => ({ ...port, protocol: 'TCP' })),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        selector: { matchLabels: selector },
        template: {
          metadata: {
            labels: { app: name, version: installation.version, ...metadata.labels },
            annotations: { 'inject.istio.io/templates': 'gateway', 'proxy.istio.io/config': drainConfig },
          },
          spec: {
            serviceAccountName: name,
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: graceSeconds,
            securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
            topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
              maxSkew: 1,
              topologyKey,
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selector },
            })),
            containers: [
              {
                name: 'istio-proxy',
                // Istio's injector puts its proxy here.
                image: 'auto',
                ...(env.length > 0 && { env }),
                ports: ports.map(({ name: port, targetPort }) => ({ name: port, containerPort: targetPort })),
                resources: { requests: { cpu: '500m', memory: '256Mi' }, limits: { memory: '256Mi' } },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  runAsNonRoot: true,
                  capabilities: { drop: ['ALL'] },
                },
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata,
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        minReplicas: replicas.min,
        maxReplicas: replicas.max,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
        ],
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: selector } },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector: { matchLabels: selector },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          { ...(from !== undefined && { from }), ports: tcp(...ports.map(({ targetPort }) => targetPort)) },
          { from: [namespaceOf(installation.monitoringNamespace)], ports: tcp(meshPorts.metrics) },
        ],
        egress: [...baseEgress(installation), ...egress],
      },
    },
  ];
}

const drainConfig = 'proxyMetadata:\n  EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true"\n  MINIMUM_DRAIN_DURATION: 10s\n';

/** Labels of a namespace of the mesh. */
export const restrictedNamespace = {
  'istio-injection': 'enabled',
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
};
