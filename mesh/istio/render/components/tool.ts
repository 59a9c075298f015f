import type { Model } from '../../model/model.ts';
import type { ToolHost } from '../../model/regions.ts';
import { egressPorts } from '../mesh/egress.ts';
import type { KubeObject } from '../objects.ts';
import { gatewayPods, tcp } from '../workload/network-policy.ts';
import type { Component, Patch } from './component.ts';
import { renderWayOut } from './way-out.ts';

/**
 * Returns the component that opens the way to a system that tools call, for the workloads that call tools and for no other. Their sidecars
 * then know this host and no provider of models.
 */
export function renderTool(tool: ToolHost, model: Model): Component {
  return {
    path: `tools/${tool.name}`,
    resources: { 'tool.yaml': toolObjects(tool, model) },
    patches: shutCallers(model).map((caller) => sidecarPatch(caller, tool, model)),
  };
}

/** Returns the objects of the component. */
export function toolObjects({ name, host }: ToolHost, model: Model): KubeObject[] {
  const callers = model.workloads.filter(({ callsTools }) => callsTools);
  const shut = shutCallers(model);
  return [
    ...renderWayOut({ name: `tool-${name}`, host, callers }, model),
    ...(shut.length === 0 ? [] : [packetsOf(name, shut, model)]),
  ];
}

/** Returns the host as the sidecar of a caller names it. */
export function hostInSidecar(host: string, { installation }: Model): string {
  return `${installation.gateways.egress.namespace}/${host}`;
}

/** Workloads that call tools and to which the egress gateway is closed otherwise. */
function shutCallers({ workloads }: Model): string[] {
  return workloads.filter(({ callsTools, callsProviders }) => callsTools && !callsProviders).map(({ name }) => name);
}

function packetsOf(name: string, callers: readonly string[], { installation }: Model): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `tool-${name}`, namespace: installation.namespace },
    spec: {
      podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: callers }] },
      policyTypes: ['Egress'],
      egress: [{ to: [gatewayPods(installation.gateways.egress)], ports: tcp(egressPorts.pod) }],
    },
  };
}

function sidecarPatch(caller: string, { host }: ToolHost, model: Model): Patch {
  return {
    target: {
      group: 'networking.istio.io',
      kind: 'Sidecar',
      name: caller,
      namespace: model.installation.namespace,
    },
    change: [{ op: 'add', path: '/spec/egress/0/hosts/-', value: hostInSidecar(host, model) }],
  };
}
