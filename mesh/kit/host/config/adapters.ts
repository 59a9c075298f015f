import { readdirSync } from 'node:fs';
import type { JsonObject } from '@bufbuild/protobuf';
import { ConfigError } from '../../base/config-error.ts';
import { readSettings, type Settings, type SettingsShape } from './adapter-settings.ts';

/** What an adapter file exports as `adapter`. */
export interface Adapter<Port, Deps, Shape extends SettingsShape = SettingsShape> {
  settings: Shape;
  create(settings: Settings<Shape>, deps: Deps): Port | Promise<Port>;
}

/** Declares an adapter; gives its file the types. */
export function defineAdapter<Port, Deps, const Shape extends SettingsShape>(
  adapter: Adapter<Port, Deps, Shape>,
): Adapter<Port, Deps, Shape> {
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

/** Returns the adapter `name` of `folder`. Throws ConfigError if there is none; `path`: of its name in the configuration. */
export async function loadAdapter(folder: URL, name: string, path: string): Promise<Adapter<unknown, unknown>> {
  const files = new Map(adapterFiles(folder));
  const file = files.get(name);
  if (file === undefined) throw new ConfigError(`${path}.adapter`, `no adapter "${name}"`, [...files.keys()]);
  const module = (await import(new URL(file, folder).href)) as { adapter: Adapter<unknown, unknown> };
  return module.adapter;
}

/**
 * Loads the adapter `name` from `folder`, checks its settings, and creates it. `path` is that of its name in the configuration,
 * for errors: "retrieval.vector_store".
 */
export async function createFromAdapter<Port, Deps>(
  folder: URL,
  name: string,
  settings: JsonObject | undefined,
  deps: Deps,
  path: string,
): Promise<Port> {
  const adapter = (await loadAdapter(folder, name, path)) as Adapter<Port, Deps>;
  return adapter.create(readSettings(adapter.settings, settings ?? {}, `${path}.settings`), deps);
}
