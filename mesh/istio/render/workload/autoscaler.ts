import type { Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf } from '../objects.ts';

/** Share of a replica's capacity that is used before another replica is started. */
const targetShare = 0.7;

/**
 * Returns what sets the number of replicas: calls in flight, which grow first when models are slow, and CPU. Up fast, down slowly: a replica
 * that leaves interrupts no stream, but its cache and its connections are lost.
 */
export function renderAutoscaler(workload: Workload, model: Model): KubeObject | undefined {
  const { name, replicas, callsPerReplica, scalesBy } = workload;
  if (replicas.min === replicas.max) return undefined;
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: targetShare * 100 } },
  };
  const calls = {
    type: 'Pods',
    pods: {
      metric: { name: 'ragmesh_calls_open' },
      target: { type: 'AverageValue', averageValue: String(Math.floor(callsPerReplica * targetShare)) },
    },
  };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadataOf(workload, model),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: replicas.min,
      maxReplicas: replicas.max,
      metrics: scalesBy === 'calls' ? [calls, cpu] : [cpu],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          policies: [
            { type: 'Percent', value: 100, periodSeconds: 30 },
            { type: 'Pods', value: 2, periodSeconds: 30 },
          ],
          selectPolicy: 'Max',
        },
        scaleDown: {
          stabilizationWindowSeconds: 300,
          policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }],
          selectPolicy: 'Max',
        },
      },
    },
  };
}
