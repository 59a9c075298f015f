import type { Model } from '../../model/model.ts';
import { type Patch, patchesOf, removalOf } from '../components/component.ts';
import { renderKustomization } from '../kustomization.ts';
import { toYaml } from '../objects.ts';
import { renderAutoscaler } from '../workload/autoscaler.ts';

/** Returns the overlay for one small cluster: one replica of everything, and stores in the cluster. */
export function devFiles(model: Model): Map<string, string> {
  const { namespace } = model.installation;
  const one: Patch = {
    target: { group: 'apps', kind: 'Deployment', namespace },
    change: [
      { op: 'add', path: '/spec/replicas', value: 1 },
      { op: 'replace', path: '/spec/template/spec/containers/0/resources/requests/cpu', value: '100m' },
    ],
  };
  const oneGateway: Patch = {
    target: { group: 'autoscaling', kind: 'HorizontalPodAutoscaler' },
    change: [{ op: 'replace', path: '/spec/minReplicas', value: 1 }],
  };
  const scalers = model.workloads.flatMap((workload) => renderAutoscaler(workload, model) ?? []);
  const kustomization = renderKustomization(['../../topologies/services'], {
    components: ['../../components/stores-in-cluster'],
    ...patchesOf([...scalers.map(removalOf), oneGateway, one]),
  });
  return new Map([['overlays/dev/kustomization.yaml', toYaml(kustomization)]]);
}
