import { posix } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../render/objects.ts';
import { applyPatch, matches, type PatchEntry } from './patch.ts';

// What `kubectl kustomize` makes of a folder, for the parts of Kustomize that the renderers use, so that overlays are checked on any machine. A
// test compares both if kubectl is installed.

/** A folder of Kustomize, or a component. */
interface Kustomization {
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly PatchEntry[];
  readonly configMapGenerator?: readonly { name: string; namespace: string; files: readonly string[] }[];
}

/** Returns the objects of a folder with its components and patches. */
export type Compose = (folder: string) => KubeObject[];

/** Returns the objects of one folder, see {@link createCompose}. */
export function compose(folder: string, files: ReadonlyMap<string, string>): KubeObject[] {
  return createCompose(files)(folder);
}

/** Creates a function that composes folders and reads each file once. `files`: texts by path, with "/". No object may be changed. */
export function createCompose(files: ReadonlyMap<string, string>): Compose {
  const parsed = new Map<string, KubeObject[]>();
  const objectsOf = (path: string, text: string): KubeObject[] => {
    const known = parsed.get(path) ?? parseObjects(text);
    parsed.set(path, known);
    return known;
  };
  const read = (path: string): KubeObject[] => {
    const text = files.get(path);
    return text === undefined ? build(path, []) : objectsOf(path, text);
  };
  const build = (folder: string, given: readonly KubeObject[]): KubeObject[] => {
    const text = files.get(`${folder}/kustomization.yaml`);
    if (text === undefined) throw new Error(`${folder} has no kustomization.yaml`);
    const { resources = [], components = [], patches = [], configMapGenerator = [] } = parse(text) as Kustomization;
    let objects = [...given];
    for (const resource of resources) objects.push(...read(posix.normalize(posix.join(folder, resource))));
    for (const { name, namespace, files: sources } of configMapGenerator) {
      const data = Object.fromEntries(sources.map((source) => entryOf(source, folder, files)));
      objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
    }
    for (const component of components) objects = build(posix.normalize(posix.join(folder, component)), objects);
    for (const patch of patches) objects = applyToAll(patch, objects, folder);
    return objects;
  };
  return (folder) => build(folder, []);
}

/** Returns the objects of a file. */
export function parseObjects(text: string): KubeObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

function entryOf(source: string, folder: string, files: ReadonlyMap<string, string>): [string, string] {
  const [key = '', file = key] = source.split('=');
  const text = files.get(posix.join(folder, file));
  if (text === undefined) throw new Error(`${folder} names the file ${file}, which does not exist`);
  return [key, text];
}

function applyToAll(entry: PatchEntry, objects: readonly KubeObject[], folder: string): KubeObject[] {
  const hits = objects.filter((object) => matches(entry, object));
  if (hits.length === 0)
    throw new Error(`${folder}: a patch matches no object: ${JSON.stringify(entry.target ?? entry.patch)}`);
  return objects.flatMap((object) => (hits.includes(object) ? (applyPatch(entry, object) ?? []) : [object]));
}
