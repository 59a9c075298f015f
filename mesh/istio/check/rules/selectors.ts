import type { KubeObject } from '../../render/objects.ts';
import { at, type Cluster, hasLabels, type Labels, listAt, placeOf, selects, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

/** Path of the selector of pods, by kind. */
const paths: Readonly<Record<string, readonly string[]>> = {
  AuthorizationPolicy: ['selector'],
  PeerAuthentication: ['selector'],
  RequestAuthentication: ['selector'],
  NetworkPolicy: ['podSelector'],
  PodDisruptionBudget: ['selector'],
};

/** A selector that fits no pod is a policy that does nothing. */
export const deadSelectors: Rule = {
  name: 'every selector fits a pod of its namespace',
  find: (cluster) =>
    cluster.objects
      .filter((object) => {
        const fits = selectorOf(object);
        const { namespace } = placeOf(object);
        return fits !== undefined && !cluster.pods.some((pod) => pod.namespace === namespace && fits(pod.labels));
      })
      .map((object) => `${titleOf(object)} selects nothing`)
      .concat(deadPeers(cluster)),
};

/** Returns whether labels fit the selector of an object; `undefined` if it has none and so fits all. */
function selectorOf(object: KubeObject): ((labels: Labels) => boolean) | undefined {
  const { kind, apiVersion, spec } = object;
  const path = paths[kind];
  if (path !== undefined) {
    const selector = at(spec, ...path) as object | undefined;
    return selector === undefined || Object.keys(selector).length === 0
      ? undefined
      : (labels) => selects(selector, labels);
  }
  const plain =
    kind === 'Sidecar'
      ? at(spec, 'workloadSelector', 'labels')
      : kind === 'Service' || (kind === 'Gateway' && apiVersion.startsWith('networking.istio.io/'))
        ? at(spec, 'selector')
        : undefined;
  return plain === undefined ? undefined : (labels) => hasLabels(plain, labels);
}

interface Peer {
  readonly namespaceSelector?: { readonly matchLabels?: Labels };
  readonly podSelector?: object;
}

/** Peers of network policies in namespaces that are installed here. */
function deadPeers(cluster: Cluster): string[] {
  const namespaces = new Set(cluster.pods.map(({ namespace }) => namespace));
  return cluster.of('NetworkPolicy').flatMap((policy) => {
    const sides = [at(policy.spec, 'ingress'), at(policy.spec, 'egress')].flatMap((rules) =>
      Array.isArray(rules) ? rules : [],
    );
    const peers = sides.flatMap(({ from = [], to = [] }: { from?: Peer[]; to?: Peer[] }) => [...from, ...to]);
    return peers.flatMap(({ namespaceSelector, podSelector }) => {
      const namespace = namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name'] ?? placeOf(policy).namespace;
      if (podSelector === undefined || !namespaces.has(namespace)) return [];
      return eachOf(podSelector)
        .filter((one) => !cluster.pods.some((pod) => pod.namespace === namespace && selects(one, pod.labels)))
        .map((one) => `${titleOf(policy)} names pods of ${namespace} that do not exist: ${JSON.stringify(one)}`);
    });
  });
}

/** Returns the selectors of which one is a choice: one for each value. */
function eachOf(selector: object): object[] {
  const expressions = listAt<{ key: string; values?: string[] }>(selector, 'matchExpressions');
  if (expressions.length === 0) return [selector];
  return expressions.flatMap(({ key, values = [] }) => values.map((value) => ({ matchLabels: { [key]: value } })));
}
