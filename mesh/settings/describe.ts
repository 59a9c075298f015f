import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  getOption,
  hasOption,
  type Registry,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { field as fieldRules } from '#gen/buf/validate/validate_pb.ts';
import { adapter_port } from '#gen/ragmesh/config/v1/setting_pb.ts';
import { listAdapters } from '#kit/host/config/adapters.ts';
import { folderOf } from '#kit/host/config/chosen-adapters.ts';
import { rangeOf } from '#kit/host/config/setting-range.ts';

// What config.proto says of its settings, in words. Generated code has no comments, so this reads an image that buf builds.

/** Folder of all services. */
export const serviceFolder = new URL('../../services/', import.meta.url);

/** Returns the message of the whole configuration, with comments. `image`: the output of `buf build`. */
export function readContract(image: Uint8Array): DescMessage {
  const registry: Registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const config = registry.getMessage('ragmesh.config.v1.Config');
  if (config === undefined) throw new Error('the image has no ragmesh.config.v1.Config');
  return config;
}

/** What a person needs to know of a setting. */
export interface Description {
  /** Its meaning, one paragraph. */
  meaning: string;
  /** Its default in words; empty: none. */
  defaultText: string;
  /** The default as it is written in the file; `undefined`: it depends on something else, or there is none. */
  defaultValue: string | number | boolean | undefined;
  /** Values that are allowed; empty: all of its type. */
  range: string;
  isRequired: boolean;
}

/** Returns the description of a field. */
export function describe(field: DescField): Description {
  const [meaning = '', ownDefault = ''] = commentOf(field).split(/\s*\bDefault: /);
  const value = defaultOf(field);
  const port = portOf(field);
  const unit = unitOf(field.name);
  const range = port === undefined ? rangeOf(field) : listAdapters(folderOf(port.port, serviceFolder)).join(', ');
  const isLength = field.scalar !== undefined && field.fieldKind === 'scalar' && range?.endsWith(' characters');
  return {
    meaning,
    defaultText: value === undefined ? ownDefault.replace(/\.$/, '') : withUnit(value, unit),
    defaultValue: value,
    range: range === undefined || isLength ? '' : rangeWithUnit(range, unit),
    isRequired: hasOption(field, fieldRules) && getOption(field, fieldRules).required,
  };
}

/** Returns the comment of a field or message as one paragraph. */
export function commentOf(desc: DescField | DescMessage): string {
  const path = pathOf(desc).join();
  const location = desc.kind === 'field' ? desc.parent.file : desc.file;
  const found = location.proto.sourceCodeInfo?.location.find((one) => one.path.join() === path);
  return (found?.leadingComments ?? '').trim().replaceAll(/\s*\n\s*/g, ' ');
}

/** Returns the path of a descriptor in its file: numbers of fields of FileDescriptorProto and DescriptorProto, and indices. */
function pathOf(desc: DescField | DescMessage): number[] {
  if (desc.kind === 'field') return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)];
  if (desc.parent !== undefined) return [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)];
  return [4, desc.file.proto.messageType.indexOf(desc.proto)];
}

/** Returns the port whose adapters a field takes; `undefined`: none. */
export function portOf(field: DescField): { port: string; defaultAdapter: string } | undefined {
  return hasOption(field, adapter_port) ? getOption(field, adapter_port) : undefined;
}

/** Whether a field's message is of this contract, and not one of protobuf's own. */
export function hasSettings(field: DescField): field is DescField & { message: DescMessage } {
  return field.message !== undefined && !field.message.typeName.startsWith('google.');
}

function defaultOf(field: DescField): Description['defaultValue'] {
  if (field.fieldKind === 'enum') {
    const number = field.getDefaultValue();
    return field.enum.values.find((value) => value.number === number)?.name;
  }
  if (field.fieldKind === 'scalar') {
    const value = field.getDefaultValue();
    return typeof value === 'bigint' ? Number(value) : (value as Description['defaultValue']);
  }
  return portOf(field)?.defaultAdapter || undefined;
}

const units: Record<string, string> = { ms: 'ms', seconds: 's', days: 'days', bytes: 'bytes', tokens: 'tokens' };

function unitOf(name: string): string {
  return units[name.split('_').at(-1) ?? ''] ?? '';
}

function withUnit(value: string | number | boolean, unit: string): string {
  if (unit === 'bytes' && typeof value === 'number') return bytes(value);
  return unit === '' ? String(value) : `${value} ${unit}`;
}

function rangeWithUnit(range: string, unit: string): string {
  if (unit === 'bytes') return range.replaceAll(/\d+/g, (digits) => bytes(Number(digits)));
  return unit === '' ? range : `${range} ${unit}`;
}

function bytes(count: number): string {
  const names = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let step = 0;
  while (value >= 1024 && value % 1024 === 0 && step < names.length - 1) {
    value /= 1024;
    step += 1;
  }
  return value === 1 && step === 0 ? '1 byte' : `${value} ${names[step]}`;
}
