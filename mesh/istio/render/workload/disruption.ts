import type { Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf, selectorOf } from '../objects.ts';

/** Returns how many replicas may leave together when nodes are drained: one, and one that is not ready in any case. */
export function renderDisruptionBudget(workload: Workload, model: Model): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(workload, model),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorOf(workload) },
    },
  };
}
