import {
  clone,
  create,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonValue,
  type Message,
  toJson,
} from '@bufbuild/protobuf';
import { field as fieldRules } from '#gen/buf/validate/validate_pb.ts';
import { AdapterConfigSchema, type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { adapter_port } from '#gen/ragmesh/config/v1/setting_pb.ts';
import { factsOf } from './adapter-settings.ts';
import { loadAdapter } from './adapters.ts';
import { adaptersOf, entriesOf, folderOf } from './chosen-adapters.ts';

const mask = '***';

/**
 * Returns a configuration as people may see it, as JSON with the keys of the file: what the file sets, and the defaults of the contract for
 * the rest. Secrets, and user and password of URLs, are masked. What has a default that depends on something else is left out.
 * `services`: the folder of all services.
 */
export async function showConfig(config: Config, services: URL): Promise<JsonValue> {
  const shown = clone(ConfigSchema, config);
  for (const { port, path, entry } of adaptersOf(shown)) {
    const { settings } = await loadAdapter(folderOf(port, services), entry.adapter, path);
    for (const name of Object.keys(entry.settings ?? {})) {
      const schema = settings[name];
      // A name that the adapter does not know may be a secret with a typing mistake.
      if (entry.settings !== undefined && (schema === undefined || factsOf(schema).writeOnly))
        entry.settings[name] = mask;
    }
  }
  fillDefaults(ConfigSchema, shown, true);
  return withoutUserInfo(toJson(ConfigSchema, shown, { useProtoFieldName: true }));
}

/** Masks user and password of the URLs in all strings. */
function withoutUserInfo(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replaceAll(/(:\/\/)[^/@\s"]+@/g, `$1${mask}@`);
  if (Array.isArray(value)) return value.map(withoutUserInfo);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutUserInfo(child)]));
}

/** Sets what is not set; sections too, but only in the sections of the file: those of list elements may inherit. */
function fillDefaults(schema: DescMessage, message: Message, isSection: boolean): void {
  const values = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    if (field.message === undefined) fillValue(field, values);
    if (field.message === undefined || field.message.typeName.startsWith('google.')) continue;
    if (isSection) fillSection(field, values);
    const value = values[field.localName];
    if (value === undefined) continue;
    const isInSection = isSection && field.fieldKind === 'message';
    for (const [, child] of entriesOf(field.fieldKind, value)) fillDefaults(field.message, child, isInSection);
  }
}

function fillValue(field: DescField, values: Record<string, unknown>): void {
  const name = field.localName;
  const isSet = Object.hasOwn(values, name);
  const value = field.fieldKind === 'scalar' || field.fieldKind === 'enum' ? field.getDefaultValue() : undefined;
  if (isSet && field.proto.options?.debugRedact === true) values[name] = mask;
  if (!isSet && value !== undefined) values[name] = value;
}

function fillSection(field: DescField, values: Record<string, unknown>): void {
  const { localName: name, message, fieldKind } = field;
  const isEmpty = fieldKind === 'list' ? (values[name] as Message[]).length === 0 : !Object.hasOwn(values, name);
  if (message === undefined || !isEmpty) return;
  const adapter = hasOption(field, adapter_port) ? getOption(field, adapter_port).defaultAdapter : '';
  if (adapter !== '') {
    const entry = create(AdapterConfigSchema, { adapter });
    values[name] = fieldKind === 'list' ? [entry] : entry;
  } else if (fieldKind === 'message' && !needsValues(message)) {
    values[name] = create(message);
  }
}

/** Whether a section has fields that must be set: it cannot be made of defaults. */
function needsValues(schema: DescMessage): boolean {
  const isRequired = (field: DescField) => hasOption(field, fieldRules) && getOption(field, fieldRules).required;
  return schema.fields.some(isRequired);
}
