import { isUtf8 } from 'node:buffer';
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { invalidArgument } from '../../base/errors.ts';
import { maxDepth, tooDeep, tooMany } from '../../http/server/json-bounds.ts';

// Walks the wire format of protobuf (https://protobuf.dev/programming-guides/encoding) without making anything of it.

/** Fields of a message that its contract does not have: from newer clients. A parser keeps each as an object of its own. */
const maxUnknownFields = 1000;

const varint = 0;
const bit64 = 1;
const lengthDelimited = 2;
const bit32 = 5;

/** What a field looks like on the wire. */
interface WireField {
  wireType: number;
  /** Whether elements may also come joined in one length-delimited field. */
  isPackable: boolean;
  isText: boolean;
  /** Fields of the message that it holds; made when first met, since messages may hold themselves. */
  inner: (() => WireFields) | undefined;
}

type WireFields = ReadonlyMap<number, WireField>;

const cache = new WeakMap<DescMessage, WireFields>();

/**
 * Refuses a message in binary that would be expensive to parse, or that is malformed: more than `maxValues` fields (unknown ones
 * too), too deep, fields that do not fit the contract, groups, text that is not UTF-8. Throws INVALID_ARGUMENT.
 */
export function checkWire(schema: DescMessage, bytes: Uint8Array, maxValues: number): void {
  let values = 0;
  let unknown = 0;
  let at = 0;

  const count = () => {
    if (++values > maxValues) throw tooMany(maxValues);
  };
  const skip = (length: number, end: number) => {
    if (length > end - at) throw malformed('a field ends beyond its message');
    at += length;
  };
  const readVarint = (end: number): number => {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      if (at >= end) throw malformed('a number ends beyond its message');
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw malformed('a number is longer than 10 bytes');
  };
  const skipValue = (wireType: number, end: number) => {
    count();
    if (wireType === varint) readVarint(end);
    else if (wireType === bit64) skip(8, end);
    else skip(4, end);
  };
  const walk = (fields: WireFields, end: number, depth: number) => {
    if (depth > maxDepth) throw tooDeep();
    while (at < end) {
      const tag = readVarint(end);
      const wireType = tag % 8;
      const field = fields.get(Math.floor(tag / 8));
      if (tag < 8 || tag > 0xffffffff) throw malformed('a field has an impossible number');
      if (field === undefined && ++unknown > maxUnknownFields) {
        throw invalidArgument(`the message has more than ${maxUnknownFields} fields that its contract does not have`);
      }
      if (field !== undefined && field.wireType !== wireType && !(field.isPackable && wireType === lengthDelimited)) {
        throw malformed(`field ${Math.floor(tag / 8)} has another type`);
      }
      if (wireType === varint || wireType === bit64 || wireType === bit32) {
        skipValue(wireType, end);
        continue;
      }
      if (wireType !== lengthDelimited) throw malformed(`wire type ${wireType} is not used here`);
      const length = readVarint(end);
      const start = at;
      skip(length, end);
      if (field?.isPackable && field.wireType !== lengthDelimited) {
        at = start;
        while (at < start + length) skipValue(field.wireType, start + length);
        continue;
      }
      count();
      if (field?.isText && !isUtf8(bytes.subarray(start, at))) throw malformed('a text is not UTF-8');
      if (field?.inner === undefined) continue;
      at = start;
      walk(field.inner(), start + length, depth + 1);
    }
  };
  walk(fieldsOf(schema), bytes.length, 1);
}

function malformed(what: string) {
  return invalidArgument(`the message is not valid protobuf: ${what}`);
}

function fieldsOf(schema: DescMessage): WireFields {
  let fields = cache.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, toWireField(field)]));
    cache.set(schema, fields);
  }
  return fields;
}

function toWireField(field: DescField): WireField {
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar, false);
    case 'enum':
      return scalar(ScalarType.INT32, false);
    case 'message':
      return message(() => fieldsOf(field.message));
    case 'list':
      if (field.listKind === 'message') return message(() => fieldsOf(field.message));
      return scalar(field.listKind === 'enum' ? ScalarType.INT32 : field.scalar, true);
    case 'map': {
      const value =
        field.mapKind === 'message'
          ? message(() => fieldsOf(field.message))
          : scalar(field.mapKind === 'enum' ? ScalarType.INT32 : field.scalar, false);
      const entry: WireFields = new Map([
        [1, scalar(field.mapKey, false)],
        [2, value],
      ]);
      return message(() => entry);
    }
    default:
      return field satisfies never;
  }
}

function message(inner: () => WireFields): WireField {
  return { wireType: lengthDelimited, isPackable: false, isText: false, inner };
}

function scalar(type: ScalarType, isRepeated: boolean): WireField {
  const wireType = wireTypeOf(type);
  return {
    wireType,
    isPackable: isRepeated && wireType !== lengthDelimited,
    isText: type === ScalarType.STRING,
    inner: undefined,
  };
}

function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return lengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return bit32;
    default:
      return varint;
  }
}
