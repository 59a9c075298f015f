import { stringify } from 'yaml';
import { livenessName } from '#kit/host/health.ts';
import { type Installation, imageOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { type KubeObject, labelsOf, metadataOf, selectorOf } from '../objects.ts';
import { configNameOf } from './config.ts';

/** Time between the removal of a replica from its service and its SIGTERM, in seconds: callers have heard of the removal by then. */
const preStopSeconds = 5;
/** Time for the last writes after the streams have ended, in seconds. */
const closeSeconds = 15;
/** Share of the memory that JavaScript objects may take; the rest is for buffers, threads and code. */
const heapShare = 0.75;

/** Returns the time in which a replica of a workload stops, in seconds. */
export function graceSecondsOf({ drainMs }: Workload): number {
  return preStopSeconds + Math.ceil(drainMs / 1000) + closeSeconds;
}

/** Returns the Deployment of a workload. The number of replicas is its autoscaler's, if it has one. */
export function renderDeployment(workload: Workload, model: Model): KubeObject {
  const { installation } = model;
  const { replicas } = workload;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(workload, model),
    spec: {
      ...(replicas.min === replicas.max && { replicas: replicas.min }),
      revisionHistoryLimit: 5,
      selector: { matchLabels: selectorOf(workload) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: labelsOf(workload, installation),
          annotations: { ...sidecarAnnotations, ...metricsAnnotations(installation.ports) },
        },
        spec: podOf(workload, installation),
      },
    },
  };
}

/**
 * Settings of the sidecar of a workload: a native one, which starts before the process and ends after it; when the pod stops it refuses new
 * connections no earlier than callers have heard, and stays until the last connection has ended.
 */
const sidecarAnnotations = {
  'sidecar.istio.io/nativeSidecar': 'true',
  'proxy.istio.io/config': stringify({
    proxyMetadata: {
      EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true',
      MINIMUM_DRAIN_DURATION: `${preStopSeconds}s`,
    },
  }),
};

/** By these the sidecar adds the metrics of the process to its own page, which needs no exception of mTLS. */
function metricsAnnotations({ admin }: Installation['ports']): Record<string, string> {
  return { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(admin), 'prometheus.io/path': '/metrics' };
}

function podOf(workload: Workload, installation: Installation): object {
  const spread = (topologyKey: string) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selectorOf(workload) },
    matchLabelKeys: ['pod-template-hash'],
  });
  return {
    serviceAccountName: workload.name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSecondsOf(workload),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: installation.userId,
      runAsGroup: installation.userId,
      fsGroup: installation.userId,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    topologySpreadConstraints: [spread('topology.kubernetes.io/zone'), spread('kubernetes.io/hostname')],
    containers: [containerOf(workload, installation)],
    volumes: [
      { name: 'config', configMap: { name: configNameOf(workload.name) } },
      { name: 'data', emptyDir: { sizeLimit: '1Gi' } },
      { name: 'tmp', emptyDir: { sizeLimit: '1Gi' } },
    ],
  };
}

function containerOf(workload: Workload, installation: Installation): object {
  const { ports } = installation;
  const { memoryMib } = workload;
  const memory = `${memoryMib}Mi`;
  return {
    name: 'ragmesh',
    image: imageOf(installation),
    imagePullPolicy: 'IfNotPresent',
    args: ['--services', workload.services.map(({ name }) => name).join(','), '--config', '/etc/ragmesh/ragmesh.yaml'],
    env: environmentOf(workload),
    ports: [
      { name: 'grpc', containerPort: ports.grpc },
      ...(workload.isEntry ? [{ name: 'http2-edge', containerPort: ports.edge }] : []),
      { name: 'http-admin', containerPort: ports.admin },
    ],
    ...probesOf(ports),
    lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } },
    resources: {
      requests: { cpu: `${workload.cpu * 1000}m`, memory, 'ephemeral-storage': '256Mi' },
      limits: { memory, 'ephemeral-storage': '2Gi' },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/ragmesh', readOnly: true },
      { name: 'data', mountPath: '/data' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

/**
 * Readiness follows what the services cannot serve without, by the health of the process as a whole. Liveness only asks whether the
 * process answers, so that a store that is down restarts nothing. A start may take minutes: what is searched in memory loads first.
 */
function probesOf({ grpc: port }: Installation['ports']): object {
  const alive = { grpc: { port, service: livenessName }, timeoutSeconds: 5 };
  return {
    startupProbe: { ...alive, periodSeconds: 2, failureThreshold: 150 },
    readinessProbe: { grpc: { port, service: '' }, timeoutSeconds: 2, periodSeconds: 5, failureThreshold: 2 },
    livenessProbe: { ...alive, periodSeconds: 10, failureThreshold: 6 },
  };
}

/** Variables that the configuration of the workload names, from the Secret `ragmesh`: no pod gets a secret that it does not use. */
function environmentOf({ memoryMib, signsTokens, callsTools, stores, isEntry }: Workload): object[] {
  const secret = (name: string, key: string) => ({ name, valueFrom: { secretKeyRef: { name: 'ragmesh', key } } });
  // An installation without tools has no such key.
  const optional = (name: string, key: string) => ({
    name,
    valueFrom: { secretKeyRef: { name: 'ragmesh', key, optional: true } },
  });
  return [
    { name: 'NODE_OPTIONS', value: `--max-old-space-size=${Math.floor(memoryMib * heapShare)}` },
    { name: 'RAGMESH_DATA_DIR', value: '/data' },
    signsTokens ? secret('RAGMESH_PRIVATE_KEY', 'private-key') : secret('RAGMESH_PUBLIC_KEY', 'public-key'),
    ...(stores.includes('postgres') ? [secret('RAGMESH_DATABASE', 'database')] : []),
    ...(stores.includes('redis') ? [secret('RAGMESH_REDIS', 'redis')] : []),
    ...(callsTools ? [optional('RAGMESH_TOOL_PRIVATE_KEY', 'tool-private-key')] : []),
    ...(isEntry ? [secret('RAGMESH_API_KEY_SHA256', 'api-key-sha256')] : []),
  ];
}
