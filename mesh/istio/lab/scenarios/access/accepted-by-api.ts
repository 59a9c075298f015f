import { services } from '../../../../run.ts';
import { everyObject } from '../../../check/installations.ts';
import { renderFiles } from '../../../render/files.ts';
import type { KubeObject } from '../../../render/objects.ts';
import type { Kubernetes } from '../../kubernetes/kubernetes.ts';
import { refuse, type Scenario } from '../scenario.ts';

/** The manifests before a real API server and a real istiod in each cluster, whose control planes read the API of one another. */
export const acceptedByApi: Scenario = {
  name: 'the API servers accept every object and pod, refuse broken ones; no sidecar refuses what istiod sends',
  needs: ['kube', 'regions'],
  async run({ lab, home }) {
    const { kubernetes } = lab;
    if (kubernetes === undefined) throw new Error('the lab runs without --kube');
    const { namespace } = lab.options.names;
    const rule = (spec: object) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'broken', namespace },
      spec: { hosts: ['broken.example.com'], http: [spec] },
    });
    const route = [{ destination: { host: 'broken.example.com' } }];
    const pod = { serviceAccountName: 'chat', containers: [{ name: 'root', image: 'root' }] };
    const broken: readonly (readonly [object, RegExp])[] = [
      [rule({ route, timeouts: '1s' }), /field not declared in schema/],
      [rule({ route, timeout: '0s' }), /must be a valid duration/],
      [
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'root', namespace }, spec: pod },
        /violates PodSecurity "restricted/,
      ],
    ];
    const problems: string[] = [];
    for (const [object, expected] of broken) {
      const refusal = await kubernetes.refusal(home, object);
      if (refusal === undefined || !expected.test(refusal))
        problems.push(`not refused: ${JSON.stringify(object)}: ${refusal}`);
    }
    const trials = await refusedTrials(kubernetes, home);
    problems.push(...trials.problems);
    const counts = { taken: 0, rejected: 0 };
    for (const sidecar of lab.sidecars()) {
      for (const [name, count] of await sidecar.stats('(lds|cds|rds).*update_(success|rejected)$')) {
        counts[name.endsWith('rejected') ? 'rejected' : 'taken'] += count;
      }
    }
    if (counts.rejected > 0 || counts.taken === 0)
      problems.push(`${counts.taken} configurations taken, ${counts.rejected} rejected`);
    refuse(problems);
    const applied = [...kubernetes.applied].map(
      ([cluster, { count, unserved }]) =>
        `${cluster}: ${count} objects${unserved.length > 0 ? `, kinds without a definition: ${unserved.join(', ')}` : ''}`,
    );
    return `${applied.join('; ')}; ${trials.count} objects of all installations and components would be taken; ${broken.length} broken ones refused; ${counts.taken} configurations taken, 0 rejected`;
  },
};

/** Tries to apply every object of every installation and component: those of the ambient mode, of the canary, of each topology. */
async function refusedTrials(
  kubernetes: Kubernetes,
  cluster: string,
): Promise<{ readonly count: number; readonly problems: readonly string[] }> {
  const all = everyObject(renderFiles(services)).map((object) => JSON.stringify(object));
  const problems: string[] = [];
  let count = 0;
  const attempt = async (text: string) => {
    const object = JSON.parse(text) as KubeObject;
    if (!(await kubernetes.serves(cluster, object))) return;
    // Another name: the fields of an object that exists would be merged with those of the trial.
    const trial = { ...object, metadata: { ...object.metadata, name: `${object.metadata?.name}-trial` } };
    const refusal = await kubernetes.refusal(cluster, trial);
    if (refusal === undefined) count++;
    else problems.push(refusal);
  };
  await Promise.all([...new Set(all)].map(attempt));
  return { count, problems };
}
