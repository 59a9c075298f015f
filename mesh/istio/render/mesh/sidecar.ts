import { hostOf } from '../../model/installation.ts';
import { calleesOf, type Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf, selectorOf } from '../objects.ts';

/**
 * Returns what the sidecar of a workload knows: the workloads that it calls, the stores if it has some, the providers if it calls some, and
 * nothing else. Calls to any other host end in the sidecar.
 */
export function renderSidecar(workload: Workload, model: Model): KubeObject {
  const { installation } = model;
  const hosts = [
    ...[...calleesOf(model, workload.name).keys()].map((callee) => `./${hostOf(callee, installation)}`),
    ...(workload.stores.length > 0 ? [`${installation.storesNamespace}/*`] : []),
    ...(workload.callsProviders ? [`${installation.gateways.egress.namespace}/*`] : []),
    `${installation.monitoringNamespace}/*`,
  ];
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: metadataOf(workload, model),
    spec: {
      workloadSelector: { labels: selectorOf(workload) },
      egress: [{ hosts }],
      outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
    },
  };
}
