import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { services } from '../../run.ts';
import { root } from '../../tools.ts';
import { folder, renderFiles } from '../render/files.ts';
import { createCompose } from './compose.ts';
import { createInjector, injectedProblems } from './inject.ts';

const isAbsent = !hasCommand('istioctl') && skipped('istioctl', 2, 'install istioctl 1.30 or later');
const scratch = mkdtempSync(join(tmpdir(), 'ragmesh-inject-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.skipIf(isAbsent)('pods with the sidecars that Istio adds', () => {
  const objects = createCompose(renderFiles(services))(`${folder}/topologies/services`);
  const file = join(scratch, 'objects.yaml');
  writeFileSync(file, objects.map((object) => stringify(object)).join('---\n'));
  const values = join(root, folder, 'istio/istiod.yaml');

  test('are allowed in their namespaces, and their sidecars are native', () => {
    expect(injectedProblems(createInjector(values, scratch), file)).toEqual([]);
  });

  test('are refused if they change packet rules themselves', () => {
    const other = join(scratch, 'values.yaml');
    writeFileSync(other, readFileSync(values, 'utf8').replace(/cni:\n +enabled: true/, 'cni:\n    enabled: false'));
    const problems = injectedProblems(createInjector(other, scratch), file).join('\n');
    expect(problems).toContain('Deployment ragmesh/chat: container istio-init adds NET_ADMIN, NET_RAW');
  });
});
