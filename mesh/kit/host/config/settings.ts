import { type DescField, getOption, hasOption, type JsonObject, type Message } from '@bufbuild/protobuf';
import type { AdapterConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { adapter_port } from '#gen/ragmesh/config/v1/setting_pb.ts';

// How a service reads its section of the configuration. Defaults, units and ranges are in config.proto and nowhere else: a message
// of it has the default of every field that the file does not set, so `config.chat ?? create(ChatConfigSchema)` is complete.

/**
 * Returns the value of a field if the configuration sets it, otherwise `undefined`. For fields whose default depends on something
 * else. Relies on protobuf-es, which keeps the values of fields that are not set on the prototype.
 */
export function ifSet<M extends Message, K extends keyof M>(message: M | undefined, name: K): M[K] | undefined {
  return message !== undefined && Object.hasOwn(message, name) ? message[name] : undefined;
}

/** An adapter in use. */
export interface ChosenAdapter {
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
  /** Path in the configuration, for errors: "cache.durable_store". */
  readonly path: string;
}

/**
 * Returns the adapter that the configuration gives at `path`, or the default of its field. Throws if the field has none: the
 * caller must know what to do then.
 */
export function chosenAdapter(field: DescField, given: AdapterConfig | undefined, path: string): ChosenAdapter {
  const adapter = given?.adapter ?? defaultAdapterOf(field);
  return Object.freeze({ adapter, settings: given?.settings, path });
}

/** Returns the adapter that a field has when it is not set. Throws if it declares none. */
export function defaultAdapterOf(field: DescField): string {
  const name = hasOption(field, adapter_port) ? getOption(field, adapter_port).defaultAdapter : '';
  if (name === '') throw new Error(`${field.parent.typeName}.${field.name} has no default adapter`);
  return name;
}
