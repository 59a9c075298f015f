import { parse } from 'yaml';
import type { KubeObject } from '../render/objects.ts';

/** A patch as a file of Kustomize holds it. */
export interface PatchEntry {
  readonly target?: {
    readonly group?: string;
    readonly kind?: string;
    readonly name?: string;
    readonly namespace?: string;
    readonly labelSelector?: string;
  };
  readonly patch: string;
}

type Operation = { readonly op: 'add' | 'replace' | 'remove'; readonly path: string; readonly value?: unknown };

/** Returns whether a patch is for an object: by its target, or by the name of the object that it contains. */
export function matches({ target, patch }: PatchEntry, object: KubeObject): boolean {
  const { name = '', namespace = '', labels = {} } = object.metadata ?? {};
  const wanted = target ?? targetOf(parse(patch) as KubeObject);
  const [label = '', value] = wanted.labelSelector?.split('=') ?? [];
  return (
    (wanted.group === undefined || wanted.group === groupOf(object)) &&
    (wanted.kind === undefined || wanted.kind === object.kind) &&
    (wanted.name === undefined || new RegExp(`^(?:${wanted.name})$`).test(name)) &&
    (wanted.namespace === undefined || wanted.namespace === namespace) &&
    (value === undefined || labels[label] === value)
  );
}

function targetOf({ apiVersion, kind, metadata }: KubeObject): NonNullable<PatchEntry['target']> {
  const group = groupOf({ apiVersion, kind });
  return { group, kind, name: metadata?.name ?? '', ...(metadata?.namespace && { namespace: metadata.namespace }) };
}

/** Returns the group of an object's API; "" for the core. */
export function groupOf({ apiVersion }: Pick<KubeObject, 'apiVersion' | 'kind'>): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

/** Returns an object with a patch applied, or `undefined` if the patch removes it. */
export function applyPatch({ patch }: PatchEntry, object: KubeObject): KubeObject | undefined {
  const change = parse(patch) as Operation[] | (KubeObject & { $patch?: string });
  if (!Array.isArray(change)) return change.$patch === 'delete' ? undefined : (merge(object, change) as KubeObject);
  return change.reduce(operate, structuredClone(object));
}

function merge(base: unknown, change: unknown): unknown {
  if (!isMapping(base) || !isMapping(change)) return change;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(base[key], value);
  }
  return merged;
}

function operate(object: KubeObject, { op, path, value }: Operation): KubeObject {
  const steps = path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = steps.pop() ?? '';
  let parent: unknown = object;
  for (const step of steps) parent = (parent as Record<string, unknown> | undefined)?.[step];
  const missing = () => new Error(`${object.kind} ${object.metadata?.name} has nothing at ${path}`);
  if (typeof parent !== 'object' || parent === null) throw missing();
  if (Array.isArray(parent) && op === 'add') {
    parent.splice(last === '-' ? parent.length : Number(last), 0, value);
    return object;
  }
  const holder = parent as Record<string, unknown>;
  if (op !== 'add' && !(last in holder)) throw missing();
  if (op === 'remove') delete holder[last];
  else holder[last] = value;
  return object;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
