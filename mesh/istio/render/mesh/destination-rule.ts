import { hostOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, metadataOf } from '../objects.ts';

/**
 * Returns how callers reach a workload: bounds of their connections from its capacity, a budget of retries, and which replicas are
 * left out after failures.
 */
export function renderDestinationRule(workload: Workload, model: Model): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: metadataOf(workload, model),
    spec: {
      host: hostOf(workload.name, model.installation),
      trafficPolicy: {
        tls: { mode: 'ISTIO_MUTUAL' },
        loadBalancer: loadBalancerOf(workload),
        connectionPool: connectionPoolOf(workload),
        // A replica that dies fails all calls to it at the same moment: with few calls in flight, a share of them is too small a budget.
        retryBudget: { percent: 20, minRetryConcurrency: 10 },
        outlierDetection: outlierDetectionOf(workload),
      },
    },
  };
}

/** Shares of a workload's capacity, in calls of one caller's replica. */
function connectionPoolOf({ replicas, callsPerReplica }: Workload): object {
  const capacity = replicas.max * callsPerReplica;
  return {
    // A connection is replaced now and then, so that new replicas get their share of calls.
    tcp: {
      connectTimeout: '1s',
      maxConnectionDuration: '1800s',
      tcpKeepalive: { time: '60s', interval: '15s', probes: 4 },
    },
    http: { http2MaxRequests: capacity, http1MaxPendingRequests: callsPerReplica, maxRetries: Math.ceil(capacity / 5) },
  };
}

/** Calls go to the replica with the fewest in flight; those to a workload without state leave the region if none here is healthy. */
function loadBalancerOf({ failsOver }: Workload): object {
  const localityLbSetting = failsOver
    ? { enabled: true, failoverPriority: ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'] }
    : { enabled: false };
  return { simple: 'LEAST_REQUEST', warmup: { duration: '30s' }, localityLbSetting };
}

/**
 * A replica that fails is left out for a while. If another region can answer, all replicas may be left out, otherwise at most half. A
 * workload answers UNAVAILABLE for its providers too: that counts only if another region, with providers of its own, can answer instead. The
 * sidecar of a process that has died answers UNAVAILABLE as well, so what fails over must count it.
 */
function outlierDetectionOf({ failsOver, callsProviders }: Workload): object {
  const countsReplies = failsOver || !callsProviders;
  return {
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailures: 2,
    consecutiveGatewayErrors: countsReplies ? 5 : 0,
    consecutive5xxErrors: countsReplies ? 10 : 0,
    interval: '5s',
    baseEjectionTime: '15s',
    maxEjectionPercent: failsOver ? 100 : 50,
  };
}
