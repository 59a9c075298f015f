import { gatewayPrincipalOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import { renderSidecar } from '../mesh/sidecar.ts';
import type { KubeObject } from '../objects.ts';
import { namespaceOf, tcp } from '../workload/network-policy.ts';
import { type Component, type Patch, removalOf } from './component.ts';

/** Port of ztunnel: every connection of the mesh comes by it. */
const hbonePort = 15008;

/**
 * Returns the component for the ambient mode: no sidecars; ztunnel does mTLS, and a waypoint checks callers, rpcs and routes. A policy by rpc is
 * attached to the Service, because a pod without a proxy could not apply it; a second one lets only the waypoint and the entrance reach the
 * pods.
 */
export function renderAmbient(model: Model): Component {
  const { installation, workloads } = model;
  const { namespace, gateways, monitoringNamespace, ports } = installation;
  const waypoint: KubeObject = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'waypoint', namespace, labels: { 'istio.io/waypoint-for': 'service' } },
    spec: { gatewayClassName: 'istio-waypoint', listeners: [{ name: 'mesh', port: hbonePort, protocol: 'HBONE' }] },
  };
  const onlyByWaypoint: KubeObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'by-waypoint', namespace },
    spec: {
      action: 'ALLOW',
      rules: [
        { from: [{ source: { principals: [gatewayPrincipalOf({ name: 'waypoint', namespace }, installation)] } }] },
        {
          from: [{ source: { principals: [gatewayPrincipalOf(gateways.ingress, installation)] } }],
          to: [{ operation: { ports: [String(ports.edge)] } }],
        },
      ],
    },
  };
  const toService = workloads.map(
    ({ name }): Patch => ({
      target: { group: 'security.istio.io', kind: 'AuthorizationPolicy', name, namespace },
      change: [
        { op: 'remove', path: '/spec/selector' },
        { op: 'add', path: '/spec/targetRefs', value: [{ kind: 'Service', group: '', name }] },
      ],
    }),
  );
  const labels = {
    change: {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { 'istio-injection': null, 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'waypoint' },
      },
    },
  };
  const packets: Patch = {
    target: {
      group: 'networking.k8s.io',
      kind: 'NetworkPolicy',
      namespace,
      labelSelector: 'app.kubernetes.io/part-of=ragmesh',
    },
    change: [
      { op: 'add', path: '/spec/ingress/-', value: { ports: tcp(hbonePort) } },
      {
        op: 'add',
        path: '/spec/ingress/-',
        value: { from: [namespaceOf(monitoringNamespace)], ports: tcp(ports.admin) },
      },
      { op: 'add', path: '/spec/egress/-', value: { ports: tcp(hbonePort) } },
    ],
  };
  const sidecars = [
    ...workloads.map((workload) => renderSidecar(workload, model)),
    { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar', metadata: { name: 'default', namespace } },
  ];
  return {
    path: 'ambient',
    resources: { 'waypoint.yaml': [waypoint, onlyByWaypoint] },
    patches: [labels, ...toService, packets, ...sidecars.map(removalOf)],
  };
}
