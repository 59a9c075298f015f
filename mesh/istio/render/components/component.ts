import { stringify } from 'yaml';
import type { Model } from '../../model/model.ts';
import { type KubeObject, toYaml } from '../objects.ts';

/** An opt-in part of an installation: objects that it adds, and changes of others. */
export interface Component {
  /** Its folder: "providers/openai". */
  readonly path: string;
  /** Objects that it adds, by the name of their file. */
  readonly resources: Readonly<Record<string, readonly KubeObject[]>>;
  /** Changes of the objects of other folders. */
  readonly patches?: readonly Patch[];
}

/** A change of objects: a strategic merge, or operations of a JSON patch. */
export interface Patch {
  readonly target?: {
    readonly group?: string;
    readonly kind: string;
    readonly name?: string;
    readonly namespace?: string;
    readonly labelSelector?: string;
  };
  /** The merge as an object, or the operations as a list. */
  readonly change: object;
}

/** Returns the folder of components for a topology: they name its workloads. */
export function componentsFolder({ topology }: Pick<Model, 'topology'>): string {
  return topology === 'services' ? 'components' : `components-${topology}`;
}

/** Returns the files of a component, by their path under the folder of manifests. */
export function componentFiles({ path, resources, patches = [] }: Component, model: Model): Map<string, string> {
  const top = `${componentsFolder(model)}/${path}`;
  const kustomization: KubeObject = {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    ...(Object.keys(resources).length > 0 && { resources: Object.keys(resources) }),
    ...patchesOf(patches),
  };
  return new Map([
    [`${top}/kustomization.yaml`, toYaml(kustomization)],
    ...Object.entries(resources).map(([file, objects]): [string, string] => [`${top}/${file}`, toYaml(...objects)]),
  ]);
}

/** Returns patches as a file of Kustomize holds them. */
export function patchesOf(patches: readonly Patch[]): { patches?: object[] } {
  if (patches.length === 0) return {};
  return {
    patches: patches.map(({ target, change }) => ({
      ...(target && { target }),
      patch: stringify(change, { lineWidth: 0, aliasDuplicateObjects: false }),
    })),
  };
}

/** Returns the patch that removes an object. */
export function removalOf({ apiVersion, kind, metadata }: KubeObject): Patch {
  const { name = '', namespace } = metadata ?? {};
  return { change: { $patch: 'delete', apiVersion, kind, metadata: { name, ...(namespace && { namespace }) } } };
}
