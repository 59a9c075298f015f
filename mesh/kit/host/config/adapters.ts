import { readdirSync } from 'node:fs';
import type { JsonObject } from '@bufbuild/protobuf';
import { ConfigError } from '../../base/config-error.ts';

/** A kind of setting of an adapter. */
type SettingSpec =
  | { type: 'string'; default?: string; secret?: boolean }
  | { type: 'number'; default?: number; min: number; max: number }
  | { type: 'boolean'; default?: boolean };

type SettingValue<S extends SettingSpec> = S['type'] extends 'string'
  ? string
  : S['type'] extends 'number'
    ? number
    : boolean;

/** The settings of an adapter by name; one without a default must be given. */
export type SettingsSpec = Record<string, SettingSpec>;

/** Values of settings. */
export type Settings<Spec extends SettingsSpec> = { [K in keyof Spec]: SettingValue<Spec[K]> };

/** What an adapter file exports as `adapter`. */
export interface Adapter<Port, Deps, Spec extends SettingsSpec = SettingsSpec> {
  settings: Spec;
  create(settings: Settings<Spec>, deps: Deps): Port | Promise<Port>;
}

/** Declares an adapter; gives its file the types. */
export function defineAdapter<Port, Deps, const Spec extends SettingsSpec>(
  adapter: Adapter<Port, Deps, Spec>,
): Adapter<Port, Deps, Spec> {
  return adapter;
}

/** Returns the names of the adapters in a folder: its `.ts` files except tests, and its folders, each with an `index.ts`. */
export function listAdapters(folder: URL): string[] {
  return adapterFiles(folder).map(([name]) => name);
}

function adapterFiles(folder: URL): [name: string, file: string][] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry): [string, string][] => {
      if (entry.isDirectory()) return entry.name === '__snapshots__' ? [] : [[entry.name, `${entry.name}/index.ts`]];
      if (!entry.name.endsWith('.ts') || /\.(test|suite)\.ts$/.test(entry.name)) return [];
      return [[entry.name.slice(0, -'.ts'.length), entry.name]];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Loads the adapter `name` from `folder`, checks its settings, and creates it. `path` is where the configuration names it,
 * for errors: "retrieval.vector_store".
 */
export async function createFromAdapter<Port, Deps>(
  folder: URL,
  name: string,
  settings: JsonObject | undefined,
  deps: Deps,
  path: string,
): Promise<Port> {
  const files = new Map(adapterFiles(folder));
  const file = files.get(name);
  if (file === undefined) throw new ConfigError(`${path}.adapter`, `no adapter "${name}"`, [...files.keys()]);
  const module = (await import(new URL(file, folder).href)) as { adapter: Adapter<Port, Deps> };
  return module.adapter.create(checkSettings(settings ?? {}, module.adapter.settings, `${path}.settings`), deps);
}

function checkSettings(given: JsonObject, spec: SettingsSpec, path: string): Settings<SettingsSpec> {
  for (const key of Object.keys(given)) {
    if (!(key in spec)) throw new ConfigError(`${path}.${key}`, 'unknown setting', Object.keys(spec));
  }
  const values: Record<string, string | number | boolean> = {};
  for (const [key, setting] of Object.entries(spec)) {
    const value = given[key] ?? setting.default;
    if (value === undefined) throw new ConfigError(`${path}.${key}`, `is missing: a ${setting.type} is needed`);
    if (typeof value !== setting.type) throw new ConfigError(`${path}.${key}`, `must be a ${setting.type}`);
    if (setting.type === 'number' && ((value as number) < setting.min || (value as number) > setting.max)) {
      throw new ConfigError(`${path}.${key}`, `is ${value}: allowed are ${setting.min} to ${setting.max}`);
    }
    values[key] = value as string | number | boolean;
  }
  return Object.freeze(values) as Settings<SettingsSpec>;
}
