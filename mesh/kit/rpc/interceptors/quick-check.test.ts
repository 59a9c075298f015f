import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  type Message,
  type MessageInitShape,
  ScalarType,
  setExtension,
} from '@bufbuild/protobuf';
import { FieldOptionsSchema, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { createValidator } from '@bufbuild/protovalidate';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldRulesSchema, field as fieldRules } from '#gen/buf/validate/validate_pb.ts';
import { RecordRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { FillRequestSchema, LookupRequestSchema } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { GenerateRequestSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { WriteDocumentsRequestSchema } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { quickCheckOf } from './quick-check.ts';

const validator = createValidator();

/** Values of a field, mostly near what rules speak of. */
function anyValue(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const scalar = (type: ScalarType): fc.Arbitrary<unknown> => {
    switch (type) {
      case ScalarType.STRING:
        return fc.oneof(
          fc.constantFrom('', 'a', 'help', 'https://x.example', 'data:', '😀', 'USD', 'a'.repeat(65), '语'.repeat(300)),
          fc.string({ unit: 'grapheme', maxLength: 70 }),
        );
      case ScalarType.BYTES:
        return fc.uint8Array({ maxLength: 40 });
      case ScalarType.BOOL:
        return fc.boolean();
      case ScalarType.FLOAT:
      case ScalarType.DOUBLE:
        return fc.oneof(fc.constantFrom(0, 1, -1, 2, 3, Number.NaN, Number.POSITIVE_INFINITY), fc.double());
      case ScalarType.INT64:
      case ScalarType.UINT64:
      case ScalarType.SINT64:
      case ScalarType.FIXED64:
      case ScalarType.SFIXED64:
        return fc.bigInt({ min: 0n, max: 1n << 60n });
      default:
        return fc.oneof(fc.integer({ min: 0, max: 3 }), fc.nat());
    }
  };
  const one = (inner: DescMessage | undefined, isEnum: boolean, type: ScalarType | undefined): fc.Arbitrary<unknown> =>
    inner !== undefined
      ? anyMessage(inner, depth + 1)
      : isEnum
        ? fc.integer({ min: 0, max: 12 })
        : scalar(type as ScalarType);
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar);
    case 'enum':
      return fc.integer({ min: 0, max: 12 });
    case 'message':
      return anyMessage(field.message, depth + 1);
    case 'list':
      return fc.array(one(field.message, field.enum !== undefined, field.scalar), { maxLength: 4 });
    case 'map':
      return fc.dictionary(fc.string({ maxLength: 5 }), one(field.message, field.enum !== undefined, field.scalar), {
        maxKeys: 3,
      });
    default:
      return field satisfies never;
  }
}

function anyMessage(schema: DescMessage, depth = 0): fc.Arbitrary<Message> {
  if (depth > 3 || schema.typeName.startsWith('google.protobuf.')) return fc.constant(create(schema));
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of schema.members) {
    parts[member.localName] =
      member.kind === 'field'
        ? fc.option(anyValue(member, depth), { nil: undefined, freq: 2 })
        : fc.oneof(
            fc.constant({ case: undefined }),
            ...member.fields.map((field) => anyValue(field, depth).map((value) => ({ case: field.localName, value }))),
          );
  }
  return fc.record(parts).map((init) => {
    const given = Object.fromEntries(Object.entries(init).filter(([, value]) => value !== undefined));
    return create(schema, given as never) as Message;
  });
}

describe.each([
  AskRequestSchema,
  ConfigSchema,
  FillRequestSchema,
  GenerateRequestSchema,
  LookupRequestSchema,
  RecordRequestSchema,
  RetrieveRequestSchema,
  WriteDocumentsRequestSchema,
])('$typeName', (schema: DescMessage) => {
  test('what passes the quick check passes protovalidate', () => {
    const check = quickCheckOf(schema);
    fc.assert(
      fc.property(anyMessage(schema), (message) => {
        if (check(message)) expect(validator.validate(schema, message).kind).toBe('valid');
      }),
      { numRuns: 150 },
    );
  });
});

test.each<[string, MessageInitShape<typeof FieldRulesSchema>, ScalarType]>([
  ['a prefix', { type: { case: 'string', value: { prefix: 'x' } } }, ScalarType.STRING],
  ['a format', { type: { case: 'string', value: { wellKnown: { case: 'uuid', value: true } } } }, ScalarType.STRING],
  [
    'an exclusive bound',
    { type: { case: 'uint32', value: { greaterThan: { case: 'gt', value: 0 } } } },
    ScalarType.UINT32,
  ],
  ['a list of values', { type: { case: 'uint32', value: { in: [1] } } }, ScalarType.UINT32],
  ['an expression', { cel: [{ id: 'x', expression: 'this > 1' }] }, ScalarType.UINT32],
])('%s is left to protovalidate', (_, rules, type) => {
  const options = create(FieldOptionsSchema);
  setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  const file = create(FileDescriptorProtoSchema, {
    name: 'rules.proto',
    syntax: 'proto3',
    messageType: [{ name: 'Ruled', field: [{ name: 'value', number: 1, type: type as number, label: 1, options }] }],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const schema = registry.getMessage('Ruled') as DescMessage;
  expect(quickCheckOf(schema)(create(schema))).toBe(false);
});

test('what is plainly valid needs no closer look', () => {
  const ask = create(AskRequestSchema, { question: 'How long do refunds take?', corpora: ['help'] });
  const record = create(RecordRequestSchema, {
    answerId: 'a1',
    question: '退货期多久？',
    answer: 'Seven days. [1]',
    evidence: [{ chunkId: 'c', documentId: 'd', corpus: 'help', score: 0.5 }],
    citedMarkers: [1],
  });
  expect(quickCheckOf(AskRequestSchema)(ask)).toBe(true);
  expect(quickCheckOf(RecordRequestSchema)(record)).toBe(true);
  expect(quickCheckOf(AskRequestSchema)(create(AskRequestSchema))).toBe(false);
});
