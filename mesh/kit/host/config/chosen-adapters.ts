import { type DescMessage, getOption, hasOption, type JsonObject, type Message } from '@bufbuild/protobuf';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { adapter_port } from '#gen/ragmesh/config/v1/setting_pb.ts';
import { ConfigError, problemsOf } from '../../base/config-error.ts';
import { checkSettings } from './adapter-settings.ts';
import { type Adapter, loadAdapter } from './adapters.ts';

/** An adapter that a configuration names. */
export interface NamedAdapter {
  /** Service and folder: "retrieval/vector-store". */
  port: string;
  path: string;
  /** The entry of the configuration; changing it changes the configuration. */
  entry: { adapter: string; settings?: JsonObject };
}

/** Returns every adapter that a configuration names, in the order of the contract. */
export function adaptersOf(config: Config): NamedAdapter[] {
  return [...walk(ConfigSchema, config, '')];
}

function* walk(schema: DescMessage, message: Message, path: string): Generator<NamedAdapter> {
  for (const field of schema.fields) {
    const value = (message as unknown as Record<string, unknown>)[field.localName];
    if (field.message === undefined || value === undefined || field.message.typeName.startsWith('google.')) continue;
    const at = path === '' ? field.name : `${path}.${field.name}`;
    const port = hasOption(field, adapter_port) ? getOption(field, adapter_port).port : undefined;
    for (const [key, child] of entriesOf(field.fieldKind, value)) {
      if (port !== undefined) yield { port, path: `${at}${key}`, entry: child as NamedAdapter['entry'] & Message };
      yield* walk(field.message, child, `${at}${key}`);
    }
  }
}

/** Returns the messages of a field, each with its part of a path: "[0]", ".key", or "". `kind` is the field's. */
export function entriesOf(kind: string, value: unknown): [key: string, message: Message][] {
  if (kind === 'list') return (value as Message[]).map((element, index) => [`[${index}]`, element]);
  if (kind === 'map') return Object.entries(value as Record<string, Message>).map(([key, child]) => [`.${key}`, child]);
  return [['', value as Message]];
}

/** Returns the folder of a port's adapters. */
export function folderOf(port: string, services: URL): URL {
  const [service = '', name = ''] = port.split('/');
  return new URL(`${service}/adapters/${name}/`, services);
}

/** Returns what is wrong with the adapters that a configuration names; `services`: the folder of all services. */
export async function checkAdapters(config: Config, services: URL): Promise<ConfigError[]> {
  const problems: ConfigError[] = [];
  for (const { port, path, entry } of adaptersOf(config)) {
    let adapter: Adapter<unknown, unknown>;
    try {
      adapter = await loadAdapter(folderOf(port, services), entry.adapter, path);
    } catch (error) {
      const known = problemsOf(() => {
        throw error instanceof ConfigError ? error : new ConfigError(path, `cannot be loaded: ${String(error)}`);
      });
      problems.push(...known);
      continue;
    }
    problems.push(...checkSettings(adapter.settings, entry.settings ?? {}, `${path}.settings`));
  }
  return problems;
}
