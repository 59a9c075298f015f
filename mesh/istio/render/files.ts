import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { refuseReplicas } from '../check/replicas.ts';
import { installation } from '../model/installation.ts';
import { createModel, topologies } from '../model/model.ts';
import { regions } from '../model/regions.ts';
import { renderCallsPage } from './calls-page.ts';
import { renderChart } from './chart/chart.ts';
import { componentFiles } from './components/component.ts';
import { renderComponents } from './components/components.ts';
import { renderKustomization } from './kustomization.ts';
import { renderEgress } from './mesh/egress.ts';
import { restrictedNamespace } from './mesh/gateway-pods.ts';
import { renderIngress } from './mesh/ingress.ts';
import { renderMeshWide } from './mesh/mesh-wide.ts';
import { type KubeObject, toYaml } from './objects.ts';
import { renderIstiodValues } from './overlays/control-plane.ts';
import { devFiles } from './overlays/dev.ts';
import { regionFiles } from './overlays/region.ts';
import { configMapsOf, renderConfig } from './workload/config.ts';
import { meshObjects, workloadObjects } from './workload-objects.ts';

/** Folder of the manifests in the repository. */
export const folder = 'deployments/kubernetes';

/** Returns every generated manifest, by its path in the repository. Throws if a service has replicas that would not share its state. */
export function renderFiles(services: readonly ServiceDefinition[]): Map<string, string> {
  const files = new Map<string, string>();
  const add = (path: string, ...objects: readonly KubeObject[]) => files.set(`${folder}/${path}`, toYaml(...objects));
  add('base/mesh-wide.yaml', ...renderMeshWide(installation));
  add('base/ingress.yaml', ...renderIngress(installation));
  add('base/egress.yaml', ...renderEgress(installation));
  add(
    'base/kustomization.yaml',
    renderKustomization(['namespace.yaml', 'mesh-wide.yaml', 'ingress.yaml', 'egress.yaml']),
  );
  add('base/namespace.yaml', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: installation.namespace,
      labels: restrictedNamespace,
    },
  });
  for (const model of topologies.map((topology) => createModel(services, topology))) {
    refuseReplicas(model);
    const top = `topologies/${model.topology}`;
    const names = model.workloads.map(({ name }) => `${name}.yaml`);
    for (const workload of model.workloads) {
      add(`${top}/workloads/${workload.name}.yaml`, ...workloadObjects(workload, model));
      files.set(`${folder}/${top}/config/${workload.name}.yaml`, renderConfig(workload, model));
      add(`${top}/mesh/${workload.name}.yaml`, ...meshObjects(workload, model));
    }
    for (const part of ['workloads', 'mesh']) add(`${top}/${part}/kustomization.yaml`, renderKustomization(names));
    add(`${top}/kustomization.yaml`, renderKustomization(['../../base', 'workloads', 'mesh'], configMapsOf(model)));
  }
  const model = createModel(services, 'services');
  const more = [
    ...topologies.flatMap((topology) => {
      const own = createModel(services, topology);
      return renderComponents(own).map((component) => componentFiles(component, own));
    }),
    devFiles(model),
    ...regions.map((region) => regionFiles(region, model)),
  ];
  for (const [path, text] of more.flatMap((each) => [...each])) files.set(`${folder}/${path}`, text);
  for (const [path, text] of renderChart(services)) files.set(`${folder}/chart/${path}`, text);
  files.set(`${folder}/CALLS.md`, renderCallsPage(services));
  files.set(`${folder}/istio/istiod.yaml`, renderIstiodValues(model));
  for (const region of regions)
    files.set(`${folder}/istio/istiod-${region.name}.yaml`, renderIstiodValues(model, region));
  return files;
}
