import type { Store } from '#kit/host/deployment.ts';
import { principalOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import { restrictedNamespace } from '../mesh/gateway-pods.ts';
import type { KubeObject } from '../objects.ts';
import { baseEgress, meshPorts, namespaceOf, renderDefaultDeny, tcp } from '../workload/network-policy.ts';
import type { Component } from './component.ts';

/** A store that a cluster can run for itself. */
interface StorePod {
  readonly store: Store;
  readonly port: number;
  readonly image: string;
  readonly userId: number;
  readonly args: readonly string[];
  readonly env: readonly object[];
  readonly mountPath: string;
  readonly sizeGib: number;
  readonly memoryMib: number;
  readonly probe: readonly string[];
}

const fromSecret = (name: string, key: string) => ({ name, valueFrom: { secretKeyRef: { name: 'stores', key } } });

const storePods: readonly StorePod[] = [
  {
    store: 'postgres',
    port: 5432,
    image: 'pgvector/pgvector:0.8.1-pg17',
    userId: 999,
    args: ['-c', 'max_connections=400'],
    env: [
      { name: 'POSTGRES_USER', value: 'ragmesh' },
      { name: 'POSTGRES_DB', value: 'ragmesh' },
      { name: 'PGDATA', value: '/var/lib/postgresql/data/pgdata' },
      fromSecret('POSTGRES_PASSWORD', 'postgres-password'),
    ],
    mountPath: '/var/lib/postgresql/data',
    sizeGib: 50,
    memoryMib: 2048,
    probe: ['pg_isready', '--username=ragmesh'],
  },
  {
    store: 'redis',
    port: 6379,
    image: 'redis:8.2.1-alpine',
    userId: 999,
    // A cache: at its limit it drops the keys that were used least recently. Appended to a file, it survives a restart.
    args: ['--appendonly', 'yes', '--maxmemory', '768mb', '--maxmemory-policy', 'allkeys-lru'],
    env: [],
    mountPath: '/data',
    sizeGib: 10,
    memoryMib: 1024,
    probe: ['redis-cli', 'ping'],
  },
];

/**
 * Returns the component that runs PostgreSQL and Redis in the cluster, one pod each: for a trial, and for a small company that backs up its
 * volumes.
 */
export function renderStoresInCluster(model: Model): Component {
  const { storesNamespace } = model.installation;
  return {
    path: 'stores-in-cluster',
    resources: {
      'namespace.yaml': [
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: storesNamespace, labels: restrictedNamespace } },
        renderDefaultDeny(storesNamespace),
        {
          apiVersion: 'security.istio.io/v1',
          kind: 'AuthorizationPolicy',
          metadata: { name: 'allow-nothing', namespace: storesNamespace },
          spec: {},
        },
      ],
      ...Object.fromEntries(storePods.map((pod) => [`${pod.store}.yaml`, renderStore(pod, model)])),
    },
  };
}

function renderStore(pod: StorePod, model: Model): KubeObject[] {
  const { installation, workloads } = model;
  const { namespace, storesNamespace, version } = installation;
  const name = pod.store;
  const selector = { app: name };
  const metadata = {
    name,
    namespace: storesNamespace,
    labels: { ...selector, 'app.kubernetes.io/part-of': 'ragmesh' },
  };
  const users = workloads.filter(({ stores }) => stores.includes(pod.store)).map((workload) => workload.name);
  const probe = { exec: { command: pod.probe }, timeoutSeconds: 3, periodSeconds: 5 };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        selector,
        ports: [{ name: `tcp-${name}`, appProtocol: 'tcp', port: pod.port, targetPort: pod.port }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: name,
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: { ...metadata.labels, version } },
          spec: {
            serviceAccountName: name,
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 120,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: pod.userId,
              runAsGroup: pod.userId,
              fsGroup: pod.userId,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name,
                image: pod.image,
                args: pod.args,
                env: pod.env,
                ports: [{ name: `tcp-${name}`, containerPort: pod.port }],
                startupProbe: { ...probe, failureThreshold: 60 },
                readinessProbe: probe,
                livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 6 },
                resources: {
                  requests: { cpu: '500m', memory: `${pod.memoryMib}Mi` },
                  limits: { memory: `${pod.memoryMib}Mi` },
                },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
                volumeMounts: [
                  { name: 'data', mountPath: pod.mountPath },
                  { name: 'run', mountPath: '/var/run/postgresql' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [
              { name: 'run', emptyDir: { sizeLimit: '16Mi' } },
              { name: 'tmp', emptyDir: { sizeLimit: '256Mi' } },
            ],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: `${pod.sizeGib}Gi` } } },
          },
        ],
      },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata,
      spec: {
        selector: { matchLabels: selector },
        action: 'ALLOW',
        rules: [
          {
            from: [{ source: { principals: users.map((user) => principalOf(user, installation)) } }],
            to: [{ operation: { ports: [String(pod.port)] } }],
          },
        ],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector: { matchLabels: selector },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          {
            from: [
              {
                ...namespaceOf(namespace),
                podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: users }] },
              },
            ],
            ports: tcp(pod.port),
          },
          { from: [namespaceOf(installation.monitoringNamespace)], ports: tcp(meshPorts.metrics) },
        ],
        egress: baseEgress(installation),
      },
    },
  ];
}
