import { hostOf } from '../model/installation.ts';
import { calleesOf, type Model } from '../model/model.ts';
import type { Workload } from '../model/workload.ts';
import { type KubeObject, metadataOf, selectorOf } from './objects.ts';

/**
 * Returns what the sidecar of a workload knows: the workloads that it calls, and nothing else. Calls to any other host end in the sidecar. A
 * component that adds stores or providers adds their hosts.
 */
export function renderSidecar(workload: Workload, model: Model): KubeObject {
  const hosts = [...calleesOf(model, workload.name).keys()].map((callee) => `./${hostOf(callee, model.installation)}`);
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: metadataOf(workload, model),
    spec: {
      workloadSelector: { labels: selectorOf(workload) },
      egress: [{ hosts: hosts.length === 0 ? ['~/*'] : hosts }],
      outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
    },
  };
}
