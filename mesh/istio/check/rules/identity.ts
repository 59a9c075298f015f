import { type Cluster, listAt, placeOf, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

interface AuthorizationRule {
  readonly from?: readonly { readonly source: { readonly principals?: readonly string[] } }[];
  readonly to?: readonly { readonly operation: object }[];
}

/** KIA0106: a policy names a ServiceAccount that does not exist, so that it allows no one. */
export const ghostPrincipals: Rule = {
  name: 'every principal of a policy is the ServiceAccount of a workload',
  find(cluster) {
    const known = new Set(cluster.pods.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`));
    // Istio creates the account of a waypoint.
    for (const gateway of cluster.of('Gateway')) {
      const { name, namespace } = placeOf(gateway);
      if (gateway.apiVersion.startsWith('gateway.networking.k8s.io/')) known.add(`${namespace}/${name}`);
    }
    return principalsOf(cluster).flatMap(({ title, principal }) => {
      const [, namespace, name] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(principal) ?? [];
      return known.has(`${namespace}/${name}`) ? [] : [`${title} allows ${principal}, which no pod has`];
    });
  },
};

function principalsOf(cluster: Cluster): { title: string; principal: string }[] {
  return cluster
    .of('AuthorizationPolicy')
    .flatMap((policy) =>
      listAt<AuthorizationRule>(policy.spec, 'rules').flatMap(({ from = [] }) =>
        from.flatMap(({ source: { principals = [] } }) =>
          principals.map((principal) => ({ title: titleOf(policy), principal })),
        ),
      ),
    );
}

/** Two rules that say the same: one of them is a leftover. */
export const duplicateRules: Rule = {
  name: 'no rule of a policy is there twice',
  find: (cluster) =>
    cluster.of('AuthorizationPolicy').flatMap((policy) => {
      const texts = listAt<AuthorizationRule>(policy.spec, 'rules').map((rule) => JSON.stringify(rule));
      return texts.filter((text, index) => texts.indexOf(text) !== index).map((text) => `${titleOf(policy)}: ${text}`);
    }),
};

/** KIA1301: a workload that no policy covers accepts what the namespace accepts. */
export const uncoveredWorkloads: Rule = {
  name: 'every workload has a policy of its own or its namespace allows nothing',
  find(cluster) {
    const closed = new Set(
      cluster
        .of('AuthorizationPolicy')
        .filter(({ spec }) => Object.keys(spec as object).length === 0)
        .map((policy) => placeOf(policy).namespace),
    );
    const covered = (namespace: string) =>
      closed.has(namespace) ||
      cluster.of('AuthorizationPolicy').some((policy) => placeOf(policy).namespace === namespace);
    return cluster.pods
      .filter(({ namespace }) => !covered(namespace))
      .map(({ namespace, name }) => `${namespace}/${name} is covered by no AuthorizationPolicy`);
  },
};

/** The pods of an identity are one workload: a second one would have the rights of the first. */
export const sharedAccounts: Rule = {
  name: 'every workload has a ServiceAccount of its own, which exists and has no token for the Kubernetes API',
  find(cluster) {
    const accounts = new Map(
      cluster
        .of('ServiceAccount')
        .map((account) => [`${placeOf(account).namespace}/${placeOf(account).name}`, account]),
    );
    const names = cluster.pods.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`);
    return names.flatMap((name, index) => {
      const account = accounts.get(name);
      if (account === undefined) return [`the ServiceAccount ${name} does not exist`];
      if (account.automountServiceAccountToken !== false) return [`${titleOf(account)} mounts its token`];
      return names.indexOf(name) === index ? [] : [`${name} is used by two workloads`];
    });
  },
};
