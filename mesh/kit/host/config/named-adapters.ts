import type { DescField, JsonObject } from '@bufbuild/protobuf';
import type { AdapterConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../../base/config-error.ts';
import { createFromAdapter } from './adapters.ts';
import { defaultAdapterOf } from './settings.ts';

/** An adapter of a list in the configuration. */
export interface NamedAdapterSettings {
  /** Name to call it by; empty: its own. */
  readonly alias: string;
  /** Its adapter. */
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
  /** Path in the configuration, for errors: "rerank.models[0]". */
  readonly path: string;
}

/** Returns the list at `path` of the configuration; if it is empty, one entry by the default adapter of its field. */
export function readNamedAdapters(
  field: DescField,
  configs: readonly AdapterConfig[],
  path: string,
): readonly NamedAdapterSettings[] {
  const given = configs.length > 0 ? configs : [{ name: '', adapter: defaultAdapterOf(field), settings: undefined }];
  return Object.freeze(
    given.map(({ name, adapter, settings }, index) =>
      Object.freeze({ alias: name, adapter, settings, path: `${path}[${index}]` }),
    ),
  );
}

/** What a list is made of. */
export interface NamedPort {
  /** Its own name, used if the configuration gives none. */
  readonly name: string;
  close(): Promise<void>;
}

/** One of a list under the name that callers use. */
export interface Named<Port> {
  name: string;
  adapter: string;
  model: Port;
}

/**
 * Creates the adapters of a list, in its order. Throws ConfigError if one's settings are bad or two have one name, and closes those
 * that were made already.
 */
export async function createNamedAdapters<Port extends NamedPort, Deps>(
  folder: URL,
  given: readonly NamedAdapterSettings[],
  depsAt: (path: string) => Deps,
): Promise<{ models: Named<Port>[]; close(): Promise<void> }> {
  const models: Named<Port>[] = [];
  const close = async () => void (await Promise.all(models.map(({ model }) => model.close())));
  try {
    for (const { alias, adapter, settings, path } of given) {
      const model = await createFromAdapter<Port, Deps>(folder, adapter, settings, depsAt(path), path);
      const name = alias || model.name;
      const isTaken = models.some((other) => other.name === name);
      models.push({ name, adapter, model });
      if (isTaken) throw new ConfigError(`${path}.name`, `"${name}" names another model already`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { models, close };
}
