import { isUtf8 } from 'node:buffer';
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { invalidArgument } from '../../base/errors.ts';
import { maxDepth, tooDeep, tooMany } from './json-bounds.ts';

// Walks the wire format of protobuf (https://protobuf.dev/programming-guides/encoding) without making objects.

/** Fields that the contract does not have, as newer clients send them. A parser keeps each as an object. */
const maxUnknownFields = 1000;

const varint = 0;
const bit64 = 1;
const lengthDelimited = 2;
const bit32 = 5;

/** The form of a field on the wire. */
interface WireField {
  wireType: number;
  /** Whether its elements may also be packed in one length-delimited field. */
  isPackable: boolean;
  isText: boolean;
  /** Returns the fields of the message that it holds; made at the first use, because messages may hold themselves. */
  inner: (() => WireFields) | undefined;
}

type WireFields = ReadonlyMap<number, WireField>;

const cache = new WeakMap<DescMessage, WireFields>();

/** A walk over a message. */
interface Walk {
  readonly bytes: Uint8Array;
  readonly maxValues: number;
  /** Position of the next byte. */
  at: number;
  values: number;
  unknown: number;
}

/**
 * Refuses a message in binary that would be expensive to parse, or that is malformed: more than `maxValues` fields (unknown ones
 * too), too deep, fields that do not fit the contract, groups, text that is not UTF-8. Throws INVALID_ARGUMENT.
 */
export function checkWire(schema: DescMessage, bytes: Uint8Array, maxValues: number): void {
  walkMessage({ bytes, maxValues, at: 0, values: 0, unknown: 0 }, fieldsOf(schema), bytes.length, 1);
}

function walkMessage(walk: Walk, fields: WireFields, end: number, depth: number): void {
  if (depth > maxDepth) throw tooDeep();
  while (walk.at < end) {
    const tag = readVarint(walk, end);
    const wireType = tag % 8;
    const field = fields.get(Math.floor(tag / 8));
    checkTag(walk, tag, field);
    if (wireType === lengthDelimited) walkDelimited(walk, field, end, depth);
    else skipValue(walk, wireType, end);
  }
}

function checkTag(walk: Walk, tag: number, field: WireField | undefined): void {
  const wireType = tag % 8;
  if (tag < 8 || tag > 0xffffffff) throw malformed('a field has an impossible number');
  if (field === undefined) {
    if (++walk.unknown > maxUnknownFields) {
      throw invalidArgument(`the message has more than ${maxUnknownFields} fields that its contract does not have`);
    }
  } else if (field.wireType !== wireType && !(field.isPackable && wireType === lengthDelimited)) {
    throw malformed(`field ${Math.floor(tag / 8)} has another type`);
  }
}

// A text, bytes, a message, or the packed elements of a list.
function walkDelimited(walk: Walk, field: WireField | undefined, end: number, depth: number): void {
  const length = readVarint(walk, end);
  const start = walk.at;
  skip(walk, length, end);
  if (field?.isPackable) {
    walk.at = start;
    while (walk.at < start + length) skipValue(walk, field.wireType, start + length);
    return;
  }
  countValue(walk);
  if (field?.isText && !isUtf8(walk.bytes.subarray(start, walk.at))) throw malformed('a text is not UTF-8');
  if (field?.inner === undefined) return;
  walk.at = start;
  walkMessage(walk, field.inner(), start + length, depth + 1);
}

function countValue(walk: Walk): void {
  if (++walk.values > walk.maxValues) throw tooMany(walk.maxValues);
}

function skip(walk: Walk, length: number, end: number): void {
  if (length > end - walk.at) throw malformed('a field ends beyond its message');
  walk.at += length;
}

function readVarint(walk: Walk, end: number): number {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    if (walk.at >= end) throw malformed('a number ends beyond its message');
    const byte = walk.bytes[walk.at++] as number;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  throw malformed('a number is longer than 10 bytes');
}

function skipValue(walk: Walk, wireType: number, end: number): void {
  if (wireType !== varint && wireType !== bit64 && wireType !== bit32) {
    throw malformed(`wire type ${wireType} is not used here`);
  }
  countValue(walk);
  if (wireType === varint) readVarint(walk, end);
  else skip(walk, wireType === bit64 ? 8 : 4, end);
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
