import { describe, expect, test } from 'vitest';
import { services } from '../../../run.ts';
import { installation } from '../../model/installation.ts';
import { renderFiles } from '../../render/files.ts';
import { adjustObjects } from './adjust.ts';
import { endpointSlice, kubernetesObjects, targetPort } from './kubernetes.ts';
import { meshObjects, parseObjects } from './manifests.ts';
import { type Cluster, type Place, placeCluster, podsOf } from './pods.ts';

const files = [...renderFiles(services)].filter(([path]) =>
  /(topologies\/services|region-eu)\/.*(?<!kustomization)\.yaml$/.test(path),
);
const objects = files.filter(([path]) => !path.includes('/config/')).flatMap(([, yaml]) => parseObjects(yaml));
const cluster = placeCluster({ cluster: 'eu', objects }, { index: 2, replicasOf: (name) => (name === 'chat' ? 3 : 1) });

function placeOf({ places }: Cluster, name: string): Place {
  const found = places.find(({ service }) => service.metadata.name === name);
  if (found === undefined) throw new Error(`no Service ${name}`);
  return found;
}

describe('a cluster in the place of Kubernetes', () => {
  test('has the wanted replicas of each Deployment, each with an address of its own', () => {
    const addresses = cluster.pods.map(({ address }) => address);
    expect(new Set(addresses).size).toBe(addresses.length);
    expect(podsOf(placeOf(cluster, 'chat').service, cluster.pods).map(({ name }) => name)).toEqual([
      'eu-chat-1',
      'eu-chat-2',
      'eu-chat-3',
    ]);
    expect(cluster.pods.filter(({ isGateway }) => isGateway).map(({ deployment }) => deployment)).toEqual([
      'ragmesh-eastwest',
    ]);
  });

  test('gives a gateway for other regions an address in the network of its callers', () => {
    expect(placeOf(cluster, 'ragmesh-eastwest').externalAddress).toBe('10.77.1.202');
    expect(placeOf(cluster, 'chat').externalAddress).toBeUndefined();
  });

  test('knows the ports that Services call by name', () => {
    const { service } = placeOf(cluster, 'edge');
    const [port] = service.spec.ports;
    expect(port?.targetPort).toBe('http2-edge');
    expect(targetPort(port as NonNullable<typeof port>, cluster.pods)).toBe(installation.ports.edge);
  });

  test('lists a replica that leaves as one that still answers and gets no new calls', () => {
    const place = placeOf(cluster, 'chat');
    const { endpoints } = endpointSlice(place, podsOf(place.service, cluster.pods), new Set(['eu-chat-2']));
    expect(endpoints.map(({ conditions }) => conditions)).toEqual([
      { ready: true, serving: true, terminating: false },
      { ready: false, serving: true, terminating: true },
      { ready: true, serving: true, terminating: false },
    ]);
  });

  test('has a Pod, an address and endpoints for everything that runs, and no workload controller', () => {
    const kinds = kubernetesObjects(cluster, installation.rootNamespace).map(
      (object) => (object as { kind: string }).kind,
    );
    const countOf = (kind: string) => kinds.filter((each) => each === kind).length;
    expect(countOf('Pod')).toBe(cluster.pods.length);
    expect(countOf('EndpointSlice')).toBe(countOf('Service'));
    expect(countOf('Deployment')).toBe(0);
  });
});

test('the mesh gets Istio’s objects only', () => {
  const kinds = new Set(meshObjects({ cluster: 'eu', objects }).map(({ kind }) => kind));
  expect(kinds).toContain('AuthorizationPolicy');
  expect(kinds).not.toContain('NetworkPolicy');
});

test('only the keys of tokens and the metrics of Istio’s own build are adjusted', () => {
  const authentication = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    spec: {
      selector: {},
      jwtRules: [
        { issuer: 'https://login', jwksUri: 'https://login/keys' },
        { issuer: 'ragmesh', jwks: '' },
      ],
    },
  };
  const telemetry = { apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', spec: { metrics: [{}], tracing: [{}] } };
  const other = { apiVersion: 'v1', kind: 'Service', spec: {} };
  expect(adjustObjects([authentication, telemetry, other], { mesh: 'mesh keys', endUsers: 'user keys' })).toEqual([
    {
      ...authentication,
      spec: {
        selector: {},
        jwtRules: [
          { issuer: 'https://login', jwks: 'user keys' },
          { issuer: 'ragmesh', jwks: 'mesh keys' },
        ],
      },
    },
    { ...telemetry, spec: { tracing: [{}] } },
    other,
  ]);
});
