import { readdirSync } from 'node:fs';
import type { JsonObject } from '@bufbuild/protobuf';
import { ConfigError } from './config-error.ts';

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

/** Names of the adapters in a folder: its `.ts` files, tests aside. */
export function listAdapters(folder: URL): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.endsWith('.suite.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort();
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
  const names = listAdapters(folder);
  if (!names.includes(name)) throw new ConfigError(`${path}.adapter`, `no adapter "${name}"`, names);
  const module = (await import(new URL(`${name}.ts`, folder).href)) as { adapter: Adapter<Port, Deps> };
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
