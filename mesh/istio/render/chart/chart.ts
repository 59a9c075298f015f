import { stringify } from 'yaml';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import type { Store } from '#kit/host/deployment.ts';
import { type Installation, installation } from '../../model/installation.ts';
import { createModel, type Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { renderMeshToken } from '../components/mesh-token.ts';
import { renderProvider } from '../components/outside/provider.ts';
import { hostInSidecar } from '../components/outside/shut-callers.ts';
import { sourceObjects } from '../components/outside/source.ts';
import { toolObjects } from '../components/outside/tool.ts';
import { renderEgress } from '../mesh/egress.ts';
import { renderIngress } from '../mesh/ingress.ts';
import { renderMeshWide } from '../mesh/mesh-wide.ts';
import { header, type KubeObject } from '../objects.ts';
import { eastWest, packetsBetweenRegions, residency } from '../overlays/region.ts';
import { configNameOf, renderConfig } from '../workload/config.ts';
import { meshObjects, workloadObjects } from '../workload-objects.ts';
import { expression, forEach, raw, toTemplate, when } from './template.ts';
import { renderValues } from './values.ts';
import { renderValuesSchema } from './values-schema.ts';

/** The installation of a release: its names are values of the chart. */
const release: Installation = {
  ...installation,
  namespace: expression('$.Release.Namespace'),
  trustDomain: expression('$.Values.trustDomain'),
  image: expression('$.Values.image.repository'),
  publicHost: expression('$.Values.host'),
};

/** Returns the files of the Helm chart, by their path in its folder: the topology `services`, with what users change as values. */
export function renderChart(services: readonly ServiceDefinition[]): Map<string, string> {
  const model = createModel(services, 'services', release);
  const files = new Map([
    ['Chart.yaml', `${header}${stringify(chartOf(installation))}`],
    ['values.yaml', renderValues(model)],
    ['values.schema.json', renderValuesSchema(model)],
    ['templates/mesh-wide.yaml', `${header}${toTemplate(...renderMeshWide(release))}`],
    [
      'templates/ingress.yaml',
      when('$.Values.ingress.enabled', toTemplate(...renderIngress(release).map(withTlsSecret))),
    ],
    ['templates/egress.yaml', when('$.Values.egress.enabled', toTemplate(...renderEgress(release)))],
    ['templates/providers.yaml', forEach('$.Values.providers', providerTemplate(model))],
    ['templates/tools.yaml', forEach('$.Values.tools', toTemplate(...toolObjects(oneOfList, model)))],
    ['templates/sources.yaml', forEach('$.Values.sources', toTemplate(...sourceObjects(oneOfList, model)))],
    ['templates/stores.yaml', storesTemplate(model)],
    ['templates/mesh-token.yaml', when('$.Values.meshToken.jwks', toTemplate(...tokenObjects(model)))],
    ['templates/region.yaml', regionTemplate(model)],
  ]);
  for (const workload of model.workloads) {
    const objects = [...workloadObjects(workload, model), ...meshObjects(workload, model)];
    const own = objects.map((object) => withValues(object, workload));
    const template = withHosts(toTemplate(...own), model);
    files.set(`templates/${workload.name}.yaml`, `${header}${template}---\n${configTemplate(workload)}`);
    files.set(`config/${workload.name}.yaml`, renderConfig(workload, model));
  }
  return files;
}

function chartOf({ version }: Installation): object {
  return {
    apiVersion: 'v2',
    name: 'ragmesh',
    description: 'Retrieval-augmented generation as a gRPC service mesh under Istio',
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.32.0-0',
  };
}

/** The configuration of a workload: that of the chart, with the values of the release merged into it. */
function configTemplate({ name }: Workload): string {
  const base = `(tpl ($.Files.Get "config/${name}.yaml") $ | fromYaml)`;
  return [
    'apiVersion: v1',
    'kind: ConfigMap',
    'metadata:',
    `  name: ${configNameOf(name)}`,
    '  namespace: "{{ $.Release.Namespace }}"',
    'data:',
    '  ragmesh.yaml: |-',
    `    {{- mergeOverwrite ${base} (default dict (index $.Values.config "${name}")) | toYaml | nindent 4 }}`,
    '',
  ].join('\n');
}

/** Marks the places of hosts outside in the list of hosts that a sidecar knows: the values of the release that name them. */
const hostMarks = { callsTools: 'tools', readsSources: 'sources' } as const;
/** A host of a list that a template goes through. */
const oneOfList = { name: expression('.name'), host: expression('.host') };

/** Returns a template with the hosts of the tools and sources of the release in the places of their marks. */
function withHosts(template: string, model: Model): string {
  const marks = Object.values(hostMarks).join('|');
  return template.replace(new RegExp(`^( *)- hosts-of-(${marks})\\n`, 'gm'), (_, indent: string, list: string) => {
    const item = `${indent}- "${hostInSidecar(oneOfList.host, model)}"`;
    return `${indent}{{- range $.Values.${list} }}\n${item}\n${indent}{{- end }}\n`;
  });
}

/** Puts values of the release in the place of what users change. */
function withValues(object: KubeObject, workload: Workload): KubeObject {
  const marks = (['callsTools', 'readsSources'] as const).filter((may) => workload[may] && !workload.callsProviders);
  if (object.kind === 'Sidecar' && marks.length > 0) return withMarks(object, marks);
  const own = `(index $.Values.workloads "${workload.name}")`;
  const field = (name: string, value: string) => `"${name}":${JSON.stringify(value)}`;
  const inText = (value: string) => JSON.stringify(value).slice(1, -1);
  const replacements: readonly (readonly [from: RegExp, to: string])[] = [
    [/"minReplicas":\d+/, field('minReplicas', raw(`${own}.replicas.min`))],
    [/"maxReplicas":\d+/, field('maxReplicas', raw(`${own}.replicas.max`))],
    [/"replicas":\d+/, field('replicas', raw(`${own}.replicas.min`))],
    [/"http2MaxRequests":\d+/, field('http2MaxRequests', raw(`mul ${own}.replicas.max ${workload.callsPerReplica}`))],
    [/"cpu":"\d+m"/, field('cpu', expression(`${own}.cpu`))],
    [/"memory":"\d+Mi"/g, field('memory', `${expression(`${own}.memoryMib`)}Mi`)],
    [/(?<=--max-old-space-size=)\d+/, inText(expression(`div (mul ${own}.memoryMib 3) 4`))],
    [/(?<="image":"[^"]*):[^":]+(?=")/, inText(expression(imageSuffix))],
    [/(?<="secretKeyRef":\{)"name":"ragmesh"/g, field('name', expression('$.Values.secret'))],
    [/(?<="annotations":\{)/, `${field('checksum/config', expression(checksum(workload)))},`],
  ];
  const text = replacements.reduce((made, [from, to]) => made.replace(from, () => to), JSON.stringify(object));
  return JSON.parse(text) as KubeObject;
}

function withMarks(sidecar: KubeObject, marks: readonly (keyof typeof hostMarks)[]): KubeObject {
  const { egress, ...spec } = sidecar.spec as { egress: readonly { hosts: readonly string[] }[] };
  const hosts = [...(egress[0]?.hosts ?? []), ...marks.map((may) => `hosts-of-${hostMarks[may]}`)];
  return { ...sidecar, spec: { ...spec, egress: [{ hosts }] } };
}

/** A digest follows "@", a tag ":". */
const imageSuffix =
  'ternary (printf "@%s" $.Values.image.tag) (printf ":%s" $.Values.image.tag) (hasPrefix "sha256:" $.Values.image.tag)';

/** A change of the configuration replaces the pods. */
function checksum({ name }: Workload): string {
  return `printf "%s%s" ($.Files.Get "config/${name}.yaml") (index $.Values.config "${name}" | toJson) | sha256sum`;
}

function withTlsSecret(object: KubeObject): KubeObject {
  return JSON.parse(
    JSON.stringify(object).replace('"ragmesh-tls"', () => JSON.stringify(expression('$.Values.tlsSecret'))),
  ) as KubeObject;
}

function providerTemplate(model: Model): string {
  const { resources } = renderProvider(oneOfList, model);
  return toTemplate(...Object.values(resources).flat());
}

function tokenObjects(model: Model): KubeObject[] {
  const objects = Object.values(renderMeshToken(model).resources).flat();
  return objects.map((object) => {
    const text = JSON.stringify(object).replace(
      /"jwks":"(?:[^"\\]|\\.)*"/,
      () => `"jwks":${JSON.stringify(raw('$.Values.meshToken.jwks | toJson'))}`,
    );
    return JSON.parse(text) as KubeObject;
  });
}

function storesTemplate({ workloads, installation: { namespace, storesNamespace } }: Model): string {
  const stores = [...new Set(workloads.flatMap((workload) => workload.stores))];
  const usersOf = (store: Store) =>
    workloads.filter((workload) => workload.stores.includes(store)).map(({ name }) => `"${name}"`);
  const users = `dict ${stores.map((store) => `"${store}" (list ${usersOf(store).join(' ')})`).join(' ')}`;
  const metadata = { name: expression('.kind'), namespace: storesNamespace };
  const entry: KubeObject = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata,
    spec: {
      exportTo: ['.', namespace],
      hosts: [expression('.host')],
      addresses: [expression('.cidr')],
      location: 'MESH_EXTERNAL',
      resolution: 'NONE',
      ports: [{ number: raw('.port'), name: `tcp-${expression('.kind')}`, protocol: 'TCP' }],
    },
  };
  const packets: KubeObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `store-${expression('.kind')}`, namespace },
    spec: {
      podSelector: {
        matchExpressions: [{ key: 'app', operator: 'In', values: raw(`index (${users}) .kind | toJson`) }],
      },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: expression('.cidr') } }], ports: [{ protocol: 'TCP', port: raw('.port') }] }],
    },
  };
  return forEach('$.Values.stores', toTemplate(entry, packets));
}

function regionTemplate(model: Model): string {
  const name = expression('$.Values.region.name');
  const [tenants] = residency({ name, providers: [], boundTenants: [] }, model);
  const text = JSON.stringify(tenants).replace(
    /"values":\[[^\]]*\]/,
    () => `"values":${JSON.stringify(raw('$.Values.region.tenantsElsewhere | toJson'))}`,
  );
  const gateway = toTemplate(
    ...eastWest({ name, providers: [], boundTenants: [] }, model),
    ...packetsBetweenRegions(model),
  );
  const bound = toTemplate(JSON.parse(text) as KubeObject);
  return `${when('$.Values.region.name', gateway)}{{- if $.Values.region.tenantsElsewhere }}\n---\n${bound}{{- end }}\n`;
}
