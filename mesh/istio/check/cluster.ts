import type { KubeObject } from '../render/objects.ts';

/** Labels of an object or a selector. */
export type Labels = Readonly<Record<string, string>>;

/** Pods that an object makes: of a Deployment or a StatefulSet. */
export interface PodTemplate {
  readonly name: string;
  readonly namespace: string;
  readonly kind: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly containers: readonly Container[];
}

/** A container, as far as the rules look at it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

/** A port of a Service. */
export interface ServicePort {
  readonly name: string;
  readonly appProtocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
}

/** What one cluster gets, indexed for the rules. */
export interface Cluster {
  readonly objects: readonly KubeObject[];
  readonly pods: readonly PodTemplate[];
  /** Hosts that the mesh knows, with their ports: Services, and entries for hosts outside. */
  readonly hosts: ReadonlyMap<string, readonly number[]>;
  of(kind: string): KubeObject[];
}

/** Returns the cluster of objects. */
export function toCluster(objects: readonly KubeObject[]): Cluster {
  const of = (kind: string) => objects.filter((object) => object.kind === kind);
  const pods = [...of('Deployment'), ...of('StatefulSet')].map(toPods);
  const hosts = new Map<string, readonly number[]>();
  for (const service of of('Service')) {
    const { name, namespace } = placeOf(service);
    const ports = listAt<ServicePort>(service.spec, 'ports');
    hosts.set(
      `${name}.${namespace}.svc.cluster.local`,
      ports.map(({ port }) => port),
    );
  }
  for (const entry of of('ServiceEntry')) {
    const ports = listAt<{ number: number }>(entry.spec, 'ports').map(({ number }) => number);
    for (const host of listAt<string>(entry.spec, 'hosts')) hosts.set(host, ports);
  }
  return { objects, pods, hosts, of };
}

function toPods(object: KubeObject): PodTemplate {
  const { name, namespace } = placeOf(object);
  const template = at(object.spec, 'template') as { metadata: { labels: Labels }; spec: PodSpec };
  const { serviceAccountName, containers } = template.spec;
  const { labels } = template.metadata;
  return { name, namespace, kind: object.kind, labels, serviceAccount: serviceAccountName ?? 'default', containers };
}

interface PodSpec {
  readonly serviceAccountName?: string;
  readonly containers: readonly Container[];
}

/** Returns name and namespace of an object. */
export function placeOf({ metadata }: KubeObject): { name: string; namespace: string } {
  return { name: metadata?.name ?? '', namespace: metadata?.namespace ?? 'default' };
}

/** Returns an object as messages name it: "Service ragmesh/chat". */
export function titleOf(object: KubeObject): string {
  const { name, namespace } = placeOf(object);
  return `${object.kind} ${namespace}/${name}`;
}

/** Returns what is at a path of keys, or `undefined`. */
export function at(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  );
}

/** Returns the list at a path of keys; empty if there is none. */
export function listAt<T>(value: unknown, ...keys: readonly string[]): readonly T[] {
  const found = at(value, ...keys);
  return Array.isArray(found) ? (found as T[]) : [];
}

/** Returns whether labels fit a selector: equality, and expressions with `In`. */
export function selects(selector: unknown, labels: Labels): boolean {
  const equal = (at(selector, 'matchLabels') ?? {}) as Labels;
  const expressions = listAt<{ key: string; values?: string[] }>(selector, 'matchExpressions');
  return (
    Object.entries(equal).every(([key, value]) => labels[key] === value) &&
    expressions.every(({ key, values = [] }) => values.includes(labels[key] ?? ''))
  );
}

/** Returns whether plain labels fit: the selector of a Service. */
export function hasLabels(wanted: unknown, labels: Labels): boolean {
  return selects({ matchLabels: wanted }, labels);
}
