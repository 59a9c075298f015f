import type { KubeObject } from '../../render/objects.ts';
import { at, type Cluster, hasLabels, listAt, placeOf, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

interface Server {
  readonly tls?: { readonly credentialName?: string };
}

/** istiod gives a gateway the certificate of a Secret only if the account of its pods may list Secrets; otherwise its port stays closed. */
export const credentials: Rule = {
  name: 'every gateway with a certificate for clients may read the Secrets of its namespace',
  find: (cluster) =>
    cluster
      .of('Gateway')
      .filter(({ spec }) => listAt<Server>(spec, 'servers').some(({ tls }) => tls?.credentialName !== undefined))
      .flatMap((gateway) => {
        const selector = at(gateway.spec, 'selector');
        return cluster.pods
          .filter(({ labels }) => hasLabels(selector, labels))
          .filter(({ namespace, serviceAccount }) => !mayListSecrets(cluster, namespace, serviceAccount))
          .map(
            ({ namespace, serviceAccount }) =>
              `${titleOf(gateway)}: the account ${namespace}/${serviceAccount} may not`,
          );
      }),
};

function mayListSecrets(cluster: Cluster, namespace: string, account: string): boolean {
  const roles = cluster
    .of('RoleBinding')
    .filter((binding) => placeOf(binding).namespace === namespace)
    .filter(({ subjects }) =>
      (subjects as { kind: string; name: string; namespace: string }[]).some(
        (subject) => subject.kind === 'ServiceAccount' && subject.name === account && subject.namespace === namespace,
      ),
    )
    .map(({ roleRef }) => String(at(roleRef, 'name')));
  return cluster
    .of('Role')
    .filter((role) => placeOf(role).namespace === namespace && roles.includes(placeOf(role).name))
    .some(listsSecrets);
}

function listsSecrets({ rules }: KubeObject): boolean {
  return (rules as { resources: string[]; verbs: string[] }[]).some(
    ({ resources, verbs }) => resources.includes('secrets') && verbs.includes('list'),
  );
}
