import type { Model } from '../../../model/model.ts';
import { egressPorts } from '../../mesh/egress.ts';
import type { KubeObject } from '../../objects.ts';
import { gatewayPods, tcp } from '../../workload/network-policy.ts';
import type { Patch } from '../component.ts';

/** Returns those of some callers to which the egress gateway is closed otherwise: they call no providers. */
export function shutCallers(model: Model, may: 'callsTools' | 'readsSources'): string[] {
  return model.workloads.filter((one) => one[may] && !one.callsProviders).map(({ name }) => name);
}

/** Returns the host as the sidecar of a caller names it. */
export function hostInSidecar(host: string, { installation }: Model): string {
  return `${installation.gateways.egress.namespace}/${host}`;
}

/** Returns the policy that lets packets of such callers to the egress gateway; nothing if there are none. */
export function packetsOf(name: string, callers: readonly string[], { installation }: Model): KubeObject[] {
  if (callers.length === 0) return [];
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: installation.namespace },
      spec: {
        podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: callers }] },
        policyTypes: ['Egress'],
        egress: [{ to: [gatewayPods(installation.gateways.egress)], ports: tcp(egressPorts.pod) }],
      },
    },
  ];
}

/** Returns the change by which the sidecar of such a caller knows a host. */
export function sidecarPatch(caller: string, host: string, model: Model): Patch {
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
