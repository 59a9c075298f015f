import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { services } from '../../../run.ts';
import { root } from '../../../tools.ts';
import { analyze } from '../../check/analyze.ts';
import { compose, parseObjects } from '../../check/compose.ts';
import { createValidator, readSchemas } from '../../schemas/validate.ts';
import { folder, renderFiles } from '../files.ts';
import { restrictedNamespace } from '../mesh/gateway-pods.ts';
import type { KubeObject } from '../objects.ts';

const scratch = mkdtempSync(join(tmpdir(), 'ragmesh-chart-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const chart = join(root, folder, 'chart');

/** Returns the objects of a release. */
function template(values: object): KubeObject[] {
  const file = join(scratch, 'values.yaml');
  writeFileSync(file, stringify(values));
  const args = ['template', 'ragmesh', chart, '--namespace', 'ragmesh', '--kube-version', '1.36.0', '--values', file];
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return parseObjects(stdout);
}

/** The namespace of a release is not part of it: its installer makes it, with these labels. */
const ownNamespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'ragmesh', labels: restrictedNamespace },
};

const named = (objects: readonly KubeObject[], kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata?.name === name);

describe.skipIf(!hasCommand('helm') && skipped('helm', 9, 'install Helm 3'))('the Helm chart', () => {
  test('with its own values is the topology "services"', () => {
    const ours = compose(`${folder}/topologies/services`, renderFiles(services));
    expect(sorted(template({}))).toEqual(sorted(ours));
  });

  test('opens the ways to tools for chat, whose sidecar knows their hosts', () => {
    const tools = ['orders', 'desk'].map((name) => ({ name, host: `${name}.example.com` }));
    const objects = template({ tools });
    for (const { name } of tools) expect(named(objects, 'NetworkPolicy', `tool-${name}`)).toBeDefined();
    const hosts = JSON.stringify(named(objects, 'Sidecar', 'chat')?.spec);
    for (const { host } of tools) expect(hosts).toContain(`"istio-egress/${host}"`);
    expect(analyze([ownNamespace, ...objects])).toEqual([]);
  });

  test('opens the ways to sources for the indexer, whose sidecar knows their hosts', () => {
    const sources = ['help', 'bucket'].map((name) => ({ name, host: `${name}.example.com` }));
    const objects = template({ sources });
    for (const { name } of sources) expect(named(objects, 'NetworkPolicy', `source-${name}`)).toBeDefined();
    const hosts = JSON.stringify(named(objects, 'Sidecar', 'indexer')?.spec);
    for (const { host } of sources) expect(hosts).toContain(`"istio-egress/${host}"`);
    expect(analyze([ownNamespace, ...objects])).toEqual([]);
  });

  test('takes image, host, replicas, memory, Secret and settings from values', () => {
    const objects = template({
      image: { repository: 'registry.example.com/ragmesh', tag: `sha256:${'a'.repeat(64)}` },
      host: 'answers.example.com',
      secret: 'keys',
      workloads: { chat: { replicas: { min: 5, max: 50 }, memoryMib: 1024 } },
      config: { 'llm-gateway': { llm_gateway: { routes: [] }, telemetry: { log_level: 'warn' } } },
    });
    const text = JSON.stringify(named(objects, 'Deployment', 'chat'));
    expect(text).toContain(`registry.example.com/ragmesh@sha256:${'a'.repeat(64)}`);
    expect(text).toContain('--max-old-space-size=768');
    expect(text).toContain('"secretKeyRef":{"name":"keys"');
    expect(named(objects, 'HorizontalPodAutoscaler', 'chat')?.spec).toMatchObject({ minReplicas: 5, maxReplicas: 50 });
    expect(JSON.stringify(named(objects, 'VirtualService', 'ragmesh-ingress'))).toContain(
      '"hosts":["answers.example.com"]',
    );
    const { data } = named(objects, 'ConfigMap', 'llm-gateway-config') as unknown as { data: Record<string, string> };
    expect(parse(data['ragmesh.yaml'] ?? '')).toMatchObject({
      grpc: { retries: false },
      llm_gateway: { limits: { store: { adapter: 'redis' } }, routes: [] },
      telemetry: { log_level: 'warn' },
    });
  });

  test.each([
    [{ hots: 'answers.example.com' }, 'hots'],
    [{ workloads: { chatt: { memoryMib: 512 } } }, 'chatt'],
    [{ image: { tag: 'latest' } }, 'image'],
    [{ providers: [{ name: 'openai' }] }, 'host'],
  ])('refuses %o, and names what is wrong', (values, what) => {
    const file = join(scratch, 'wrong.yaml');
    writeFileSync(file, stringify(values));
    const { status, stderr } = spawnSync('helm', ['template', 'ragmesh', chart, '--values', file], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain(what);
  });

  test('replaces the pods of a workload when its settings change, and no others', () => {
    const checksums = (values: object) =>
      new Map(
        template(values).flatMap((object) => {
          const [sum] = /"checksum\/config":"([^"]+)"/.exec(JSON.stringify(object))?.slice(1) ?? [];
          return sum === undefined ? [] : [[object.metadata?.name, sum] as const];
        }),
      );
    const [before, after] = [checksums({}), checksums({ config: { chat: { telemetry: { log_level: 'warn' } } } })];
    const changed = [...before].filter(([name, sum]) => after.get(name) !== sum).map(([name]) => name);
    expect(changed).toEqual(['chat']);
  });

  test('with everything switched on passes the schemas and our own rules', () => {
    const objects = template({
      providers: [
        { name: 'openai', host: 'api.openai.com' },
        { name: 'anthropic', host: 'api.anthropic.com' },
      ],
      stores: [
        { kind: 'postgres', host: 'db.example.com', cidr: '192.0.2.10/32', port: 5432 },
        { kind: 'redis', host: 'redis.example.com', cidr: '192.0.2.20/32', port: 6379 },
      ],
      meshToken: { jwks: '{"keys":[]}' },
      region: { name: 'eu', tenantsElsewhere: ['demo-cn'] },
    });
    expect(objects.flatMap(createValidator(readSchemas()))).toEqual([]);
    expect(analyze([...objects, ownNamespace])).toEqual([]);
    expect(named(objects, 'ServiceEntry', 'anthropic')).toBeDefined();
    expect(JSON.stringify(named(objects, 'RequestAuthentication', 'mesh-token'))).toContain('"jwks":"{\\"keys\\":[]}"');
    expect(JSON.stringify(named(objects, 'AuthorizationPolicy', 'bound-tenants'))).toContain('"values":["demo-cn"]');
  });
});

/** Objects in one order, without what only Helm or only Kustomize adds. */
function sorted(objects: readonly KubeObject[]): KubeObject[] {
  const keyOf = ({ apiVersion, kind, metadata }: KubeObject) =>
    `${apiVersion} ${kind} ${metadata?.namespace} ${metadata?.name}`;
  return objects
    .filter(({ kind, metadata }) => kind !== 'ConfigMap' && !(kind === 'Namespace' && metadata?.name === 'ragmesh'))
    .map((object) => JSON.parse(JSON.stringify(object).replace(/"checksum\/config":"[^"]+",/, '')) as KubeObject)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
