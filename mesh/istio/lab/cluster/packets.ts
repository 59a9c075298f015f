import type { KubeObject } from '../../render/objects.ts';
import { type Manifests, ofKind } from './manifests.ts';
import type { Cluster, Pod } from './pods.ts';

/** Packets that a pod may take or send: those of TCP from or to an address range, on one port. */
export interface Passage {
  /** CIDR of the other side. */
  readonly range: string;
  /** Ranges inside of {@link range} that do not pass. */
  readonly except: readonly string[];
  readonly port: number;
}

/** What network policies leave to a pod. `undefined`: no policy restricts the direction. */
export interface PacketRules {
  readonly ingress: readonly Passage[] | undefined;
  readonly egress: readonly Passage[] | undefined;
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: string[];
  }[];
}

interface Peer {
  readonly namespaceSelector?: Selector;
  readonly podSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly protocol?: string; readonly port: number }[];
}

interface NetworkPolicy extends KubeObject {
  readonly kind: 'NetworkPolicy';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes: readonly ('Ingress' | 'Egress')[];
    readonly ingress?: readonly Rule[];
    readonly egress?: readonly Rule[];
  };
}

/** Returns what all network policies of a cluster together leave to one of its pods. Throws at what it does not know. */
export function packetRulesOf({ manifests, pods }: Cluster, pod: Pod): PacketRules {
  const policies = policiesOf(manifests).filter(
    ({ metadata, spec }) => metadata.namespace === pod.namespace && fits(spec.podSelector, pod.labels),
  );
  const passages = (type: 'Ingress' | 'Egress') => {
    const own = policies.filter(({ spec }) => spec.policyTypes.includes(type));
    if (own.length === 0) return undefined;
    return own.flatMap(({ spec, metadata }) =>
      ((type === 'Ingress' ? spec.ingress : spec.egress) ?? []).flatMap((rule) =>
        passagesOf(rule, metadata.namespace, pods),
      ),
    );
  };
  return { ingress: passages('Ingress'), egress: passages('Egress') };
}

function policiesOf(manifests: Manifests): NetworkPolicy[] {
  return ofKind<NetworkPolicy>(manifests, 'NetworkPolicy');
}

function passagesOf({ from, to, ports }: Rule, namespace: string, pods: readonly Pod[]): Passage[] {
  if (ports === undefined) throw new Error('a network policy without ports is not known to the lab');
  const peers = from ?? to;
  const ranges =
    peers === undefined
      ? [{ range: '0.0.0.0/0', except: [] }]
      : peers.flatMap((peer) => rangesOf(peer, namespace, pods));
  const tcp = ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  return ranges.flatMap((range) => tcp.map(({ port }) => ({ ...range, port })));
}

function rangesOf(
  { ipBlock, namespaceSelector, podSelector = {} }: Peer,
  namespace: string,
  pods: readonly Pod[],
): Omit<Passage, 'port'>[] {
  if (ipBlock !== undefined) return [{ range: ipBlock.cidr, except: ipBlock.except ?? [] }];
  // The API server gives every namespace this label; the manifests select by no other one.
  const isInside = (pod: Pod) =>
    namespaceSelector === undefined
      ? pod.namespace === namespace
      : fits(namespaceSelector, { 'kubernetes.io/metadata.name': pod.namespace });
  return pods
    .filter((pod) => isInside(pod) && fits(podSelector, pod.labels))
    .map(({ address }) => ({ range: `${address}/32`, except: [] }));
}

function fits(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator !== 'In') throw new Error(`the operator ${operator} is not known to the lab`);
      return values.includes(labels[key] ?? '');
    })
  );
}
