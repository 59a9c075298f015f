import { failedCodes, firstTokenMs } from '../../../observability/objectives.ts';
import { hostOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { renderVirtualService } from '../mesh/virtual-service.ts';
import { type KubeObject, metadataOf } from '../objects.ts';
import type { Component, Patch } from './component.ts';

/** Shares of calls that the new version gets one after the other, in percent; each for as long as the analysis takes. */
const weights = [5, 25, 50];

/** A question to Prometheus that the new version must pass at each step. */
interface Gate {
  readonly name: string;
  readonly query: string;
  /** A condition on the value `result[0]`; NaN is one without calls. */
  readonly passes: string;
  /** Whether an empty answer passes: what it counts may not have happened. Otherwise the rollout waits for a person. */
  readonly passesWithoutData: boolean;
}

/** Pods of the new version, by the hash of their template. */
const newPods = 'pod=~".*-{{args.hash}}-.*"';
const window = '5m';

/** Failures that are not the caller's, the time to the first text of an answer, and the share of sentences that passages do not support. */
const gates: readonly Gate[] = [
  {
    name: 'grpc-status',
    query: `sum(rate(ragmesh_rpc_total{code=~"${failedCodes}",${newPods}}[${window}])) / sum(rate(ragmesh_rpc_total{${newPods}}[${window}]))`,
    passes: 'result[0] < 0.01',
    // Every call is counted: without a count, the new version gets no calls or is not scraped.
    passesWithoutData: false,
  },
  {
    name: 'first-token',
    query: `histogram_quantile(0.95, sum by (le) (rate(ai_first_token_ms_bucket{${newPods}}[${window}])))`,
    passes: `isNaN(result[0]) || result[0] < ${firstTokenMs}`,
    passesWithoutData: true,
  },
  {
    name: 'answer-quality',
    query: `sum(rate(ragmesh_unsupported_claim_total{${newPods}}[${window}])) / sum(rate(ragmesh_answer_total{${newPods}}[${window}]))`,
    passes: 'isNaN(result[0]) || result[0] < 0.05',
    passesWithoutData: true,
  },
];

/**
 * Returns the component by which Argo Rollouts releases a new version of the workload that answers questions: to a growing share of calls,
 * as long as it answers as well and as fast as it must. A failed gate takes all calls back.
 */
export function renderCanary(workload: Workload, model: Model): Component {
  const metadata = metadataOf(workload, model);
  const { namespace, monitoringNamespace } = model.installation;
  const { http: routes } = (renderVirtualService(workload, model)?.spec ?? { http: [] }) as {
    http: { name: string }[];
  };
  const analysis = {
    templates: [{ templateName: `${workload.name}-canary` }],
    args: [{ name: 'hash', valueFrom: { podTemplateHashValue: 'Latest' } }],
  };
  const rollout: KubeObject = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata,
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: workload.name, scaleDown: 'progressively' },
      minReadySeconds: 10,
      revisionHistoryLimit: 5,
      strategy: {
        canary: {
          maxUnavailable: 0,
          maxSurge: '25%',
          // Streams on pods that are replaced have this long to end before the pods are removed.
          scaleDownDelaySeconds: Math.ceil(workload.drainMs / 1000),
          abortScaleDownDelaySeconds: Math.ceil(workload.drainMs / 1000),
          trafficRouting: {
            istio: {
              virtualService: { name: workload.name, routes: routes.map(({ name }) => name) },
              destinationRule: { name: workload.name, stableSubsetName: 'stable', canarySubsetName: 'canary' },
            },
          },
          steps: weights.flatMap((setWeight) => [{ setWeight }, { pause: { duration: window } }, { analysis }]),
        },
      },
    },
  };
  const template: KubeObject = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: `${workload.name}-canary`, namespace },
    spec: {
      args: [{ name: 'hash' }],
      metrics: gates.map(({ name, query, passes, passesWithoutData }) => ({
        name,
        interval: '1m',
        count: 5,
        failureLimit: 1,
        // What neither succeeds nor fails is inconclusive, and pauses the rollout.
        successCondition: passesWithoutData ? `len(result) == 0 || ${passes}` : `len(result) > 0 && ${passes}`,
        failureCondition: `len(result) > 0 && !(${passes})`,
        provider: { prometheus: { address: `http://prometheus-operated.${monitoringNamespace}.svc:9090`, query } },
      })),
    },
  };
  return {
    path: 'canary',
    resources: { 'rollout.yaml': [rollout, template] },
    patches: [...routePatches(workload, model, routes.length), scalerPatch(workload, model)],
  };
}

/** Every route gets two destinations, whose weights the controller sets, and the DestinationRule their subsets. */
function routePatches(workload: Workload, model: Model, routeCount: number): Patch[] {
  const { namespace, ports } = model.installation;
  const host = hostOf(workload.name, model.installation);
  const to = (subset: string, weight: number) => ({
    destination: { host, subset, port: { number: ports.grpc } },
    weight,
  });
  const target = { group: 'networking.istio.io', name: workload.name, namespace };
  const subset = (name: string) => ({ name, labels: { app: workload.name } });
  return [
    {
      target: { ...target, kind: 'VirtualService' },
      change: Array.from({ length: routeCount }, (_, index) => ({
        op: 'replace',
        path: `/spec/http/${index}/route`,
        value: [to('stable', 100), to('canary', 0)],
      })),
    },
    {
      target: { ...target, kind: 'DestinationRule' },
      change: [{ op: 'add', path: '/spec/subsets', value: [subset('stable'), subset('canary')] }],
    },
  ];
}

function scalerPatch({ name }: Workload, { installation: { namespace } }: Model): Patch {
  return {
    target: { group: 'autoscaling', kind: 'HorizontalPodAutoscaler', name, namespace },
    change: [
      {
        op: 'replace',
        path: '/spec/scaleTargetRef',
        value: { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name },
      },
    ],
  };
}
