import { describe, expect, test } from 'vitest';
import { services } from '../../../../run.ts';
import { at, listAt } from '../../../check/cluster.ts';
import { createCompose } from '../../../check/compose.ts';
import { principalOf } from '../../../model/installation.ts';
import { createModel, topologies } from '../../../model/model.ts';
import { sourceHosts } from '../../../model/regions.ts';
import { folder, renderFiles } from '../../files.ts';
import { componentsFolder } from '../component.ts';

const files = renderFiles(services);
const [source = { name: '', host: '' }] = sourceHosts;

/** Returns the objects of an installation with some components. */
function installed(topology: (typeof topologies)[number], components: readonly string[]) {
  const top = componentsFolder({ topology });
  const lines = components.map((component) => `../../${top}/${component}`).join(', ');
  const trial = `resources: [../../topologies/${topology}]\ncomponents: [${lines}]\n`;
  return createCompose(new Map([...files, [`${folder}/overlays/trial/kustomization.yaml`, trial]]))(
    `${folder}/overlays/trial`,
  );
}

describe.each(topologies)('a source of the topology %s', (topology) => {
  const model = createModel(services, topology);
  const readers = model.workloads.filter(({ readsSources }) => readsSources);
  const objects = installed(topology, [`sources/${source.name}`, 'providers/openai']);
  const named = (kind: string, name: string) =>
    objects.find((object) => object.kind === kind && object.metadata?.name === name);

  test('is reached by the workloads that read sources and by no other, in the policy of the gateway', () => {
    expect(readers.flatMap(({ services: parts }) => parts.map(({ name }) => name))).toContain('indexer');
    expect(listAt<object>(named('AuthorizationPolicy', `source-${source.name}`)?.spec, 'rules')).toEqual([
      {
        from: [{ source: { principals: readers.map(({ name }) => principalOf(name, model.installation)) } }],
        to: [{ operation: { ports: ['8443'] } }],
        when: [{ key: 'connection.sni', values: [source.host] }],
      },
    ]);
  });

  test('is known to their sidecars and to no other', () => {
    for (const { name, readsSources, callsProviders } of model.workloads) {
      const hosts = listAt<{ hosts: string[] }>(named('Sidecar', name)?.spec, 'egress').flatMap((one) => one.hosts);
      expect(hosts.includes(`istio-egress/${source.host}`), name).toBe(readsSources && !callsProviders);
    }
  });

  test('is reached by packets through the gateway only', () => {
    const shut = readers.filter(({ callsProviders }) => !callsProviders).map(({ name }) => name);
    const packets = named('NetworkPolicy', `source-${source.name}`)?.spec;
    if (shut.length === 0) return expect(packets).toBeUndefined();
    expect(at(packets, 'podSelector')).toEqual({
      matchExpressions: [{ key: 'app', operator: 'In', values: shut }],
    });
    expect(listAt<object>(packets, 'egress')).toEqual([
      {
        to: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'istio-egress' } },
            podSelector: { matchLabels: { istio: 'ragmesh-egress' } },
          },
        ],
        ports: [{ protocol: 'TCP', port: 8443 }],
      },
    ]);
  });

  test('is read over the TLS of the process, inside of mTLS to the gateway', () => {
    const gateway = listAt<{ tls: object }>(named('Gateway', `source-${source.name}`)?.spec, 'servers');
    expect(gateway.map(({ tls }) => tls)).toEqual([{ mode: 'ISTIO_MUTUAL' }]);
    const route = named('VirtualService', `source-${source.name}`)?.spec;
    expect(listAt<{ match: { sniHosts: string[] }[] }>(route, 'tls').map(({ match }) => match[0]?.sniHosts)).toEqual([
      [source.host],
    ]);
    // A rule for the host itself would begin TLS once more.
    const rules = objects.filter(({ kind, spec }) => kind === 'DestinationRule' && at(spec, 'host') === source.host);
    expect(rules).toEqual([]);
  });
});

test('without the component, no workload reaches the host', () => {
  expect(JSON.stringify(installed('services', ['providers/openai']))).not.toContain(source.host);
});
