import { parseAllDocuments, stringify } from 'yaml';
import type { KubeObject } from '../../render/objects.ts';

/** What one installation applies to a cluster. */
export interface Manifests {
  /** Name of the cluster, its network and its region. */
  readonly cluster: string;
  readonly objects: readonly KubeObject[];
}

/** Returns the objects of a YAML stream. Throws at a document that is not an object of Kubernetes. */
export function parseObjects(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml).map((document) => {
    const value: unknown = document.toJS();
    if (!isObject(value)) throw new Error(`not an object of Kubernetes: ${JSON.stringify(value)?.slice(0, 100)}`);
    return value;
  });
}

function isObject(value: unknown): value is KubeObject {
  return typeof value === 'object' && value !== null && 'kind' in value && 'apiVersion' in value;
}

/** Returns the objects as YAML for the control plane, which separates documents by "---" on a line of its own. */
export function toStream(objects: readonly object[]): string {
  return objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join('---\n');
}

/** Returns the objects of a kind. */
export function ofKind<T extends KubeObject>({ objects }: Manifests, kind: T['kind']): T[] {
  return objects.filter((object): object is T => object.kind === kind);
}

/** Returns the objects that configure the mesh. */
export function meshObjects({ objects }: Manifests): KubeObject[] {
  return objects.filter(({ apiVersion }) => /\.istio\.io\/v1/.test(apiVersion));
}
