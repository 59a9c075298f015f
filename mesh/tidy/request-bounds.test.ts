import {
  create,
  createFileRegistry,
  type DescMessage,
  type MessageInitShape,
  ScalarType,
  setExtension,
} from '@bufbuild/protobuf';
import { FieldOptionsSchema, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { FieldRulesSchema, field as fieldRules } from '#gen/buf/validate/validate_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { services } from '../run.ts';
import { unboundedFields } from './request-bounds.ts';

type Rules = MessageInitShape<typeof FieldRulesSchema>;

/** A message with one field, which has the rules. */
function messageWith(type: ScalarType, isRepeated: boolean, rules: Rules | undefined): DescMessage {
  const options = create(FieldOptionsSchema);
  if (rules !== undefined) setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  const field = { name: 'value', number: 1, type: type as number, label: isRepeated ? 3 : 1, options };
  const file = create(FileDescriptorProtoSchema, {
    name: 'planted.proto',
    syntax: 'proto3',
    messageType: [{ name: 'Planted', field: [field] }],
  });
  const planted = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getMessage('Planted');
  if (planted === undefined) throw new Error('the message was not built');
  return planted;
}

const { STRING, BYTES, UINT32, INT64, DOUBLE, BOOL } = ScalarType;
const minLength: Rules = { type: { case: 'string', value: { minLen: 1n } } };
const maxLength: Rules = { type: { case: 'string', value: { maxLen: 9n } } };
const atMost9: Rules = { type: { case: 'int64', value: { lessThan: { case: 'lte', value: 9n } } } };

test('every string, bytes, number, list and map of a request has a bound', () => {
  const contracts = [...services.flatMap((service) => service.contracts), EchoService];
  const requests = contracts.flatMap(({ methods }) => methods.map(({ input }) => input));
  const broken = unboundedFields(requests);
  expect(broken, `${broken.join('\n')}\n→ add a (buf.validate.field) rule with an upper bound`).toEqual([]);
});

test.each<[string, ScalarType, boolean, Rules | undefined]>([
  ['a string without rules', STRING, false, undefined],
  ['a string with a lower bound only', STRING, false, minLength],
  ['bytes without rules', BYTES, false, undefined],
  ['a number without rules', UINT32, false, undefined],
  ['a signed number with an upper bound only', INT64, false, atMost9],
  ['a double without rules', DOUBLE, false, undefined],
  ['a list without rules', STRING, true, undefined],
  ['a list of strings without a bound', STRING, true, { type: { case: 'repeated', value: { maxItems: 9n } } }],
  [
    'a list with a bound for its strings only',
    STRING,
    true,
    { type: { case: 'repeated', value: { items: maxLength } } },
  ],
])('%s is found', (_, type, isRepeated, rules) => {
  expect(unboundedFields([messageWith(type, isRepeated, rules)])).toEqual(['Planted.value']);
});

test.each<[string, ScalarType, boolean, Rules | undefined]>([
  ['a bool', BOOL, false, undefined],
  ['a string with an upper bound', STRING, false, maxLength],
  ['a list with both bounds', STRING, true, { type: { case: 'repeated', value: { maxItems: 9n, items: maxLength } } }],
])('%s passes', (_, type, isRepeated, rules) => {
  expect(unboundedFields([messageWith(type, isRepeated, rules)])).toEqual([]);
});
