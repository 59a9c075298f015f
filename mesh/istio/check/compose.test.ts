import { expect, test } from 'vitest';
import { compose } from './compose.ts';

/** A base with two objects, a component that changes both, and an overlay of them. */
const files = new Map([
  [
    'base/kustomization.yaml',
    'resources: [objects.yaml]\nconfigMapGenerator: [{ name: c, namespace: n, files: [key=text] }]\n',
  ],
  ['base/text', 'hello\n'],
  [
    'base/objects.yaml',
    'apiVersion: v1\nkind: Service\nmetadata: { name: a, labels: { x: "1", y: "2" } }\nspec: { ports: [1] }\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: b }\n',
  ],
  [
    'part/kustomization.yaml',
    'patches:\n- target: { kind: Service, labelSelector: x=1 }\n  patch: |\n    [{ op: add, path: /spec/ports/-, value: 2 }, { op: replace, path: /metadata/labels/y, value: "3" }]\n- patch: |\n    { $patch: delete, apiVersion: apps/v1, kind: Deployment, metadata: { name: b } }\n',
  ],
  [
    'overlay/kustomization.yaml',
    'resources: [../base]\ncomponents: [../part]\npatches:\n- patch: |\n    { apiVersion: v1, kind: Service, metadata: { name: a, labels: { x: null } } }\n',
  ],
]);

test('an overlay has the objects of its base, changed by its components and patches', () => {
  expect(compose('overlay', files)).toEqual([
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', labels: { y: '3' } }, spec: { ports: [1, 2] } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'n' }, data: { key: 'hello\n' } },
  ]);
});

test('a change of one overlay is not seen by another one', () => {
  expect(compose('base', files)).toEqual(compose('base', files));
  expect(JSON.stringify(compose('base', files))).toContain('"y":"2"');
});

test('a patch that matches nothing is an error that names its target', () => {
  const broken = new Map(files).set(
    'overlay/kustomization.yaml',
    'resources: [../base]\npatches: [{target: {kind: Deployment, name: gone}, patch: "[]"}]\n',
  );
  expect(() => compose('overlay', broken)).toThrow(/a patch matches no object: .*gone/);
});
