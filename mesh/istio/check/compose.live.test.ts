import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { services } from '../../run.ts';
import { root } from '../../tools.ts';
import { folder, renderFiles } from '../render/files.ts';
import type { KubeObject } from '../render/objects.ts';
import { compose } from './compose.ts';
import { installations } from './installations.ts';

const files = renderFiles(services);

const paths = installations(files);
const isSkipped = !hasCommand('kubectl') && skipped('kubectl', paths.length, 'install kubectl');

describe.skipIf(isSkipped)('an overlay is composed as Kustomize does it', () => {
  test.each(paths)('%s', (path) => {
    const { stdout, stderr } = spawnSync('kubectl', ['kustomize', join(root, folder, path)], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    expect(stderr).toBe('');
    const theirs = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
    expect(sorted(compose(`${folder}/${path}`, files))).toEqual(sorted(theirs));
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
