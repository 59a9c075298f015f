import { describe, expect, test } from 'vitest';
import { services } from '../../run.ts';
import { folder, renderFiles } from '../render/files.ts';
import type { KubeObject } from '../render/objects.ts';
import { analyze } from './analyze.ts';
import { createCompose } from './compose.ts';
import { installations, withTrials } from './installations.ts';

const files = withTrials(renderFiles(services));
const compose = createCompose(files);

describe('what neither schemas nor the analyzers of Istio see', () => {
  test.each(installations(files))('nothing is wrong with %s', (path) => {
    expect(analyze(compose(`${folder}/${path}`))).toEqual([]);
  });
});

const whole = compose(`${folder}/overlays/region-eu`);

/** Changes that break the manifests, each in one way, and what must be found. */
const broken: readonly [what: string, change: (objects: KubeObject[]) => void, found: RegExp][] = [
  [
    'a principal that no pod has',
    (all) => rename(find(all, 'AuthorizationPolicy', 'retrieval'), 'sa/chat', 'sa/chatt'),
    /sa\/chatt, which no pod has/,
  ],
  [
    'a rule twice',
    (all) =>
      listOf(all, 'AuthorizationPolicy', 'cache', 'rules').push(
        structuredClone(listOf(all, 'AuthorizationPolicy', 'cache', 'rules')[0]),
      ),
    /no rule of a policy is there twice/,
  ],
  [
    'a policy whose selector fits nothing',
    (all) =>
      rename(find(all, 'AuthorizationPolicy', 'chat'), '"matchLabels":{"app":"chat"}', '"matchLabels":{"app":"chta"}'),
    /AuthorizationPolicy ragmesh\/chat selects nothing/,
  ],
  [
    'a Service whose selector fits nothing',
    (all) => rename(find(all, 'Service', 'chat'), '"selector":{"app":"chat"}', '"selector":{"app":"c"}'),
    /Service ragmesh\/chat selects nothing/,
  ],
  [
    'a network policy for pods that are gone',
    (all) => rename(find(all, 'NetworkPolicy', 'audit'), '"llm-gateway"', '"llm"'),
    /names pods of ragmesh that do not exist/,
  ],
  [
    'calls without mTLS',
    (all) => rename(find(all, 'DestinationRule', 'cache'), 'ISTIO_MUTUAL', 'DISABLE'),
    /tls.mode DISABLE, and the mesh is STRICT/,
  ],
  [
    'a mesh that allows plain text',
    (all) => rename(find(all, 'PeerAuthentication', 'default'), 'STRICT', 'PERMISSIVE'),
    /default is not STRICT/,
  ],
  [
    'two rules for one host',
    (all) =>
      all.push({
        ...structuredClone(find(all, 'DestinationRule', 'cache')),
        metadata: { name: 'more', namespace: 'ragmesh' },
      }),
    /DestinationRule, host cache\.ragmesh/,
  ],
  [
    'the same object twice',
    (all) => all.push(structuredClone(find(all, 'Service', 'chat'))),
    /no object is there twice/,
  ],
  [
    'a route to a host that is gone',
    (all) => rename(find(all, 'VirtualService', 'cache'), '"host":"cache.', '"host":"cash.'),
    /no host cash\.ragmesh/,
  ],
  [
    'a route to another port',
    (all) => rename(find(all, 'VirtualService', 'cache'), '"number":50051', '"number":50052'),
    /has no port 50052/,
  ],
  [
    'a subset that is gone',
    (all) => rename(find(all, 'VirtualService', 'openai'), '"subset":"openai"', '"subset":"other"'),
    /has no subset other/,
  ],
  [
    'a port that names no protocol',
    (all) => rename(find(all, 'Service', 'chat'), '"name":"grpc"', '"name":"main"'),
    /the port main names no protocol/,
  ],
  [
    'a port that the pods do not have',
    (all) => rename(find(all, 'Service', 'chat'), '"targetPort":"grpc"', '"targetPort":"rpc"'),
    /its pods have no port rpc/,
  ],
  [
    'an image without a version',
    (all) => rename(find(all, 'Deployment', 'chat'), /"image":"ragmesh:[^"]+"/, '"image":"ragmesh:latest"'),
    /ragmesh\/chat runs ragmesh:latest/,
  ],
  [
    'a scaler of nothing',
    (all) =>
      rename(
        find(all, 'HorizontalPodAutoscaler', 'chat'),
        '"kind":"Deployment","name":"chat"',
        '"kind":"Deployment","name":"c"',
      ),
    /scales Deployment c, which does not exist/,
  ],
  [
    'a namespace without a policy',
    (all) =>
      remove(all, ({ kind, metadata }) => kind === 'AuthorizationPolicy' && metadata?.namespace === 'istio-egress'),
    /ragmesh-egress is covered by no AuthorizationPolicy/,
  ],
  [
    'a container that the level of its namespace refuses',
    (all) => rename(find(all, 'Deployment', 'chat'), '"drop":["ALL"]', '"add":["NET_ADMIN"]'),
    /Deployment ragmesh\/chat: container ragmesh adds NET_ADMIN/,
  ],
  [
    'a pod that may run as root',
    (all) => rename(find(all, 'Deployment', 'chat'), '"runAsNonRoot":true', '"runAsNonRoot":false'),
    /container ragmesh may run as root/,
  ],
  [
    'a gateway that may not read its certificate',
    (all) => remove(all, ({ kind }) => kind === 'RoleBinding'),
    /the account istio-ingress\/ragmesh-ingress may not/,
  ],
  [
    'a namespace without a level of pod security',
    (all) => rename(find(all, 'Namespace', 'ragmesh'), 'pod-security.kubernetes.io/enforce', 'pod-security'),
    /the level of ragmesh is not set/,
  ],
  [
    'an account that is gone',
    (all) => remove(all, ({ kind, metadata }) => kind === 'ServiceAccount' && metadata?.name === 'chat'),
    /the ServiceAccount ragmesh\/chat does not exist/,
  ],
];

describe('broken manifests are found', () => {
  test.each(broken)('%s', (_, change, found) => {
    const objects = structuredClone(whole);
    change(objects);
    expect(analyze(objects).join('\n')).toMatch(found);
  });
});

function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata?.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

function listOf(objects: readonly KubeObject[], kind: string, name: string, part: string): unknown[] {
  return (find(objects, kind, name).spec as Record<string, unknown[]>)[part] ?? [];
}

/** Changes the text of an object; fails if it has nothing to change, because the test would then prove nothing. */
function rename(object: KubeObject, from: string | RegExp, to: string): void {
  const text = JSON.stringify(object);
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  Object.assign(object, JSON.parse(changed));
}

function remove(objects: KubeObject[], isWrong: (object: KubeObject) => boolean): void {
  const kept = objects.filter((object) => !isWrong(object));
  expect(kept.length).toBeLessThan(objects.length);
  objects.splice(0, objects.length, ...kept);
}
