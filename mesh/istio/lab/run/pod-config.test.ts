import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { services } from '../../../run.ts';
import { installation } from '../../model/installation.ts';
import { renderFiles } from '../../render/files.ts';
import type { KubeObject } from '../../render/objects.ts';
import { parseObjects } from '../cluster/manifests.ts';
import { type Pod, placeCluster } from '../cluster/pods.ts';
import { bootstrapOf } from './bootstrap.ts';
import { configOfPod, environmentOf } from './pod-config.ts';

const files = [...renderFiles(services)].filter(([path]) =>
  /(services\/workloads|region-eu)\/(?!kustomization)/.test(path),
);
const configMap: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'chat-config-abc123' },
  data: { 'ragmesh.yaml': stringify({ grpc: { host: '0.0.0.0' }, chat: { a: 1 } }) },
};
const objects = [...files.flatMap(([, yaml]) => parseObjects(yaml)), configMap];
const cluster = placeCluster({ cluster: 'eu', objects }, { index: 2, replicasOf: () => 1 });
const secrets = {
  privateKey: 'private',
  publicKey: 'public',
  database: 'postgres://',
  redis: 'redis://',
  apiKeySha256: 'hash',
};

function podOf(deployment: string): Pod {
  const found = cluster.pods.find((pod) => pod.deployment === deployment);
  if (found === undefined) throw new Error(`no pod of ${deployment}`);
  return found;
}

describe('the process of a pod', () => {
  test('has the configuration of its ConfigMap and what the installation adds to its section, no other', () => {
    const config = configOfPod(cluster, podOf('chat'), { chat: { b: 2 }, edge: { c: 3 } });
    expect(config).toEqual({ grpc: { host: '0.0.0.0' }, chat: { a: 1, b: 2 } });
  });

  test('has the secrets that its manifest names, no other', () => {
    const chat = environmentOf(podOf('chat'), secrets, '/data/chat');
    expect(chat).toMatchObject({
      RAGMESH_PUBLIC_KEY: 'public',
      RAGMESH_DATABASE: 'postgres://',
      RAGMESH_DATA_DIR: '/data/chat',
    });
    expect(chat).not.toHaveProperty('RAGMESH_PRIVATE_KEY');
    expect(environmentOf(podOf('edge'), secrets, '/data/edge')).toMatchObject({ RAGMESH_PRIVATE_KEY: 'private' });
  });
});

test('a proxy joins the mesh as its pod; a gateway between regions with the network that it serves', () => {
  const addresses = { discovery: '10.77.2.254:15010', secrets: '10.77.2.254:15011' };
  const nodeOf = (deployment: string) =>
    (bootstrapOf(podOf(deployment), addresses, '/admin') as { node: unknown }).node;
  expect(nodeOf('chat')).toMatchObject({
    id: expect.stringMatching(/^sidecar~10\.77\.2\.\d+~eu-chat-1\.ragmesh~/),
    metadata: { SERVICE_ACCOUNT: 'chat', LABELS: { app: 'chat', 'security.istio.io/tlsMode': 'istio' } },
  });
  expect(nodeOf(installation.gateways.eastWest.name)).toMatchObject({
    id: expect.stringMatching(/^router~/),
    metadata: { REQUESTED_NETWORK_VIEW: 'eu' },
  });
});
