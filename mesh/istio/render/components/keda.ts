import type { Model } from '../../model/model.ts';
import { type KubeObject, metadataOf } from '../objects.ts';
import { renderAutoscaler } from '../workload/autoscaler.ts';
import { type Component, removalOf } from './component.ts';

/** Jobs that wait for each replica before another one starts. */
const backlogPerReplica = 20;

/**
 * Returns the component by which KEDA sets the replicas of workloads with a queue: by the jobs that wait and, with Kafka, by the lag of their
 * group. Without an answer of Prometheus the least number of replicas runs.
 */
export function renderKeda(model: Model): Component {
  const queued = model.workloads.filter(({ scalesBy }) => scalesBy === 'backlog');
  const { monitoringNamespace } = model.installation;
  const objects = queued.map((workload): KubeObject => {
    const { name, replicas } = workload;
    return {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: metadataOf(workload, model),
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        minReplicaCount: replicas.min,
        maxReplicaCount: replicas.max,
        pollingInterval: 15,
        cooldownPeriod: 300,
        fallback: { failureThreshold: 4, replicas: replicas.min },
        triggers: [
          {
            type: 'prometheus',
            metadata: {
              serverAddress: `http://prometheus-operated.${monitoringNamespace}.svc:9090`,
              // Every replica reports the whole queue.
              query: 'max(ai_index_job_backlog)',
              threshold: String(backlogPerReplica),
            },
          },
        ],
        advanced: {
          horizontalPodAutoscalerConfig: {
            behavior: {
              scaleDown: {
                stabilizationWindowSeconds: 300,
                policies: [{ type: 'Percent', value: 25, periodSeconds: 60 }],
              },
            },
          },
        },
      },
    };
  });
  const replaced = queued.flatMap((workload) => renderAutoscaler(workload, model) ?? []);
  return { path: 'keda', resources: { 'scaled-objects.yaml': objects }, patches: replaced.map(removalOf) };
}

/**
 * Returns the component that adds the lag of a Kafka group to {@link renderKeda}, for `indexer.job_queue.adapter: kafka`. Its servers are an
 * example: an overlay replaces them.
 */
export function renderKedaKafka(model: Model): Component {
  const trigger = {
    type: 'kafka',
    metadata: {
      bootstrapServers: 'kafka.example.com:9092',
      consumerGroup: 'ragmesh-indexer',
      topic: 'ragmesh-index-jobs',
      lagThreshold: String(backlogPerReplica),
    },
  };
  return {
    path: 'keda-kafka',
    resources: {},
    patches: model.workloads
      .filter(({ scalesBy }) => scalesBy === 'backlog')
      .map(({ name }) => ({
        target: { group: 'keda.sh', kind: 'ScaledObject', name, namespace: model.installation.namespace },
        change: [{ op: 'add', path: '/spec/triggers/-', value: trigger }],
      })),
  };
}
