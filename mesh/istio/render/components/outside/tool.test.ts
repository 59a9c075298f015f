import { describe, expect, test } from 'vitest';
import { services } from '../../../../run.ts';
import { at, listAt } from '../../../check/cluster.ts';
import { createCompose } from '../../../check/compose.ts';
import { principalOf } from '../../../model/installation.ts';
import { createModel, topologies } from '../../../model/model.ts';
import { toolHosts } from '../../../model/regions.ts';
import { folder, renderFiles } from '../../files.ts';
import { componentsFolder } from '../component.ts';

const files = renderFiles(services);

/** Returns the objects of an installation with some components. */
function installed(topology: (typeof topologies)[number], components: readonly string[]) {
  const top = componentsFolder({ topology });
  const lines = components.map((component) => `../../${top}/${component}`).join(', ');
  const trial = `resources: [../../topologies/${topology}]\ncomponents: [${lines}]\n`;
  return createCompose(new Map([...files, [`${folder}/overlays/trial/kustomization.yaml`, trial]]))(
    `${folder}/overlays/trial`,
  );
}

describe.each(topologies)('a tool of the topology %s', (topology) => {
  const model = createModel(services, topology);
  const callers = model.workloads.filter(({ callsTools }) => callsTools);
  const [tool = { name: '', host: '' }] = toolHosts;
  const objects = installed(topology, [`tools/${tool.name}`, 'providers/openai']);
  const named = (kind: string, name: string) =>
    objects.find((object) => object.kind === kind && object.metadata?.name === name);
  const hostsOf = (name: string) =>
    listAt<{ hosts: string[] }>(named('Sidecar', name)?.spec, 'egress').flatMap(({ hosts }) => hosts);

  test('is called by the workloads that call tools and by no other, in the policy of the gateway', () => {
    const rules = listAt<object>(named('AuthorizationPolicy', `tool-${tool.name}`)?.spec, 'rules');
    expect(rules).toEqual([
      {
        from: [{ source: { principals: callers.map(({ name }) => principalOf(name, model.installation)) } }],
        to: [{ operation: { hosts: [tool.host], ports: ['8443'] } }],
      },
    ]);
    const ofProvider = JSON.stringify(named('AuthorizationPolicy', 'openai')?.spec);
    for (const { name, callsProviders } of callers)
      expect(ofProvider.includes(`"${principalOf(name, model.installation)}"`)).toBe(callsProviders);
  });

  test('is known to the sidecars of those that call it; providers are not', () => {
    for (const { name, callsTools, callsProviders } of model.workloads) {
      const hosts = hostsOf(name);
      expect(hosts.includes(`istio-egress/${tool.host}`), name).toBe(callsTools && !callsProviders);
      expect(hosts.includes('istio-egress/*'), name).toBe(callsProviders);
    }
  });

  test('is reached by packets through the gateway only', () => {
    for (const { name, callsProviders } of callers) {
      const policies = objects.filter(
        ({ kind, spec }) =>
          kind === 'NetworkPolicy' &&
          listAt<{ values: string[] }>(at(spec, 'podSelector'), 'matchExpressions').some(({ values }) =>
            values.includes(name),
          ),
      );
      expect(policies.map(({ metadata }) => metadata?.name)).toEqual(callsProviders ? [] : [`tool-${tool.name}`]);
      for (const { spec } of policies)
        expect(listAt<object>(spec, 'egress')).toEqual([
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
    }
  });

  test('has a key only in the pods that call tools, which start without it too', () => {
    for (const { name, callsTools } of model.workloads) {
      const pod = at(named('Deployment', name)?.spec, 'template', 'spec');
      const env = listAt<{ env: { name: string; valueFrom?: object }[] }>(pod, 'containers').flatMap((one) => one.env);
      const keys = env.filter((one) => one.name === 'RAGMESH_TOOL_PRIVATE_KEY');
      expect(keys.map(({ valueFrom }) => valueFrom)).toEqual(
        callsTools ? [{ secretKeyRef: { name: 'ragmesh', key: 'tool-private-key', optional: true } }] : [],
      );
    }
  });
});

test('without the component, no workload reaches the host', () => {
  expect(JSON.stringify(installed('services', ['providers/openai']))).not.toContain(toolHosts[0]?.host);
});
