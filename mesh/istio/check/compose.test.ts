import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { services } from '../../run.ts';
import { root } from '../../tools.ts';
import { folder, renderFiles } from '../render/files.ts';
import type { KubeObject } from '../render/objects.ts';
import { compose } from './compose.ts';
import { installations } from './installations.ts';

const files = renderFiles(services);
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

describe('an overlay is composed as Kustomize does it', () => {
  test.skipIf(!hasKubectl).each(installations(files))('%s (needs kubectl)', (path) => {
    const { stdout, stderr } = spawnSync('kubectl', ['kustomize', join(root, folder, path)], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    expect(stderr).toBe('');
    const theirs = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
    expect(sorted(compose(`${folder}/${path}`, files))).toEqual(sorted(theirs));
  });

  test('a patch that matches nothing is an error that names its target', () => {
    const broken = new Map(files).set(
      `${folder}/overlays/dev/kustomization.yaml`,
      'resources: [../../base]\npatches: [{target: {kind: Deployment, name: gone}, patch: "[]"}]\n',
    );
    expect(() => compose(`${folder}/overlays/dev`, broken)).toThrow(/a patch matches no object: .*gone/);
  });
});

/** The hash that Kustomize adds to the names of ConfigMaps, in their names and in the pods that use them. */
const hash = /-config-[a-z0-9]{10}$/;

function sorted(objects: readonly KubeObject[]): unknown[] {
  const plain = JSON.parse(JSON.stringify(objects), (_, value) =>
    typeof value === 'string' ? value.replace(hash, '-config') : value,
  ) as KubeObject[];
  const keyOf = ({ apiVersion, kind, metadata }: KubeObject) =>
    `${apiVersion} ${kind} ${metadata?.namespace} ${metadata?.name}`;
  return plain.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
