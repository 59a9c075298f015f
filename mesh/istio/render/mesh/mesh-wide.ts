import type { Installation } from '../../model/installation.ts';
import type { KubeObject } from '../objects.ts';
import { renderDefaultDeny } from '../workload/network-policy.ts';

/** Returns the policies that hold for every workload: identities are required, and nothing is allowed that no other policy allows. */
export function renderMeshWide({ namespace, rootNamespace }: Installation): KubeObject[] {
  return [
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: rootNamespace },
      spec: { mtls: { mode: 'STRICT' } },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'allow-nothing', namespace },
      spec: {},
    },
    renderDefaultDeny(namespace),
    {
      // For a workload that has no Sidecar of its own: it knows no host.
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'default', namespace },
      spec: { egress: [{ hosts: ['~/*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } },
    },
    renderTelemetry(namespace),
  ];
}

/**
 * Returns what sidecars report: spans of some requests, a log line of each request that failed or took long, and metrics, with all the labels
 * that Kiali draws its graph by, but without the sizes of bodies.
 */
function renderTelemetry(namespace: string): KubeObject {
  const failedOrLong =
    'response.code >= 400 || (has(response.grpc_status) && response.grpc_status != 0) || request.duration > duration("5s")';
  return {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name: 'default', namespace },
    spec: {
      tracing: [{ providers: [{ name: 'otel' }], randomSamplingPercentage: 1 }],
      accessLogging: [{ providers: [{ name: 'envoy' }], filter: { expression: failedOrLong } }],
      metrics: [
        {
          providers: [{ name: 'prometheus' }],
          overrides: ['REQUEST_SIZE', 'RESPONSE_SIZE'].map((metric) => ({ match: { metric }, disabled: true })),
        },
      ],
    },
  };
}
