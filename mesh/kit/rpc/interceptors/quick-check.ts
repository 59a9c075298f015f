import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  hasOption,
  type Message,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldRules,
  Ignore,
  type MapRules,
  message as messageRules,
  oneof as oneofRules,
  type RepeatedRules,
} from '#gen/buf/validate/validate_pb.ts';

// protovalidate walks a message by reflection, which costs more than decoding it. Nearly every message is valid, and that much
// can be checked by plain comparisons. A message that fails them is checked by protovalidate, which reports what is wrong.

/** Reports whether a message follows its rules; `false`: protovalidate has to check it. */
export type QuickCheck = (message: Message) => boolean;

type Test = (value: never) => boolean;
type Fields = Record<string, unknown>;
type MessageTest = (message: Fields) => boolean;

const checks = new WeakMap<DescMessage, QuickCheck | 'no rules'>();

/** The quick check of a message's type, made once. */
export function quickCheckOf(schema: DescMessage): QuickCheck {
  const known = compiled(schema);
  return known === 'no rules' ? () => true : known;
}

function compiled(schema: DescMessage): QuickCheck | 'no rules' {
  const known = checks.get(schema);
  if (known !== undefined) return known;
  if (!mayHaveRules(schema, new Set())) {
    checks.set(schema, 'no rules');
    return 'no rules';
  }
  const tests: MessageTest[] = hasOption(schema, messageRules) ? [() => false] : [];
  const check: QuickCheck = (message) => {
    for (const test of tests) if (!test(message as unknown as Fields)) return false;
    return true;
  };
  // Known before its fields are looked at: a message may hold its own kind.
  checks.set(schema, check);
  for (const member of schema.members) {
    const test = member.kind === 'field' ? fieldTest(member) : oneofTest(member);
    if (test !== undefined) tests.push(test);
  }
  return check;
}

/** Returns the test of a message by one of its fields; `undefined`: every message passes. */
function fieldTest(field: DescField): MessageTest | undefined {
  const test = testOf(field);
  const name = field.localName;
  const isRequired = rulesOf(field)?.required === true;
  if (test === undefined && !isRequired) return undefined;
  const isExplicit = field.fieldKind === 'message' || isOptional(field);
  return (message) => {
    const value = message[name];
    if (value === undefined) return isExplicit && !isRequired;
    if (isRequired && !isExplicit && isZero(value)) return false;
    return test === undefined || test(value as never);
  };
}

/** Returns the test of a message by one of its oneofs. */
function oneofTest(oneof: DescOneof): MessageTest {
  const isRequired = hasOption(oneof, oneofRules) && getOption(oneof, oneofRules).required;
  const name = oneof.localName;
  const cases = new Map(oneof.fields.map((field) => [field.localName, testOf(field)]));
  return (message) => {
    const chosen = message[name] as { case: string | undefined; value?: unknown };
    if (chosen.case === undefined) return !isRequired;
    const test = cases.get(chosen.case);
    return test === undefined || test(chosen.value as never);
  };
}

function mayHaveRules(schema: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  const isRuled = (field: DescField): boolean => {
    if (hasOption(field, fieldRules)) return true;
    const inner = messageOf(field);
    return inner !== undefined && mayHaveRules(inner, seen);
  };
  if (hasOption(schema, messageRules)) return true;
  return schema.oneofs.some((oneof) => hasOption(oneof, oneofRules)) || schema.fields.some(isRuled);
}

function messageOf(field: DescField): DescMessage | undefined {
  return field.fieldKind === 'message' || field.fieldKind === 'list' || field.fieldKind === 'map'
    ? field.message
    : undefined;
}

function rulesOf(field: DescField): FieldRules | undefined {
  return hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
}

/** google.protobuf.FeatureSet.FieldPresence.EXPLICIT */
const explicitPresence = 1;
const isOptional = (field: DescField) => field.presence === explicitPresence;

const isZero = (value: unknown) =>
  value === 0 || value === 0n || value === '' || value === false || (value as { length?: number }).length === 0;

const never: Test = () => false;

const bounds = ['gte', 'lte', 'finite'];
/** Rules that the quick tests know, by type. `example` is documentation. */
const knownRules: Readonly<Record<string, readonly string[]>> = {
  float: bounds,
  double: bounds,
  int32: bounds,
  int64: bounds,
  uint32: bounds,
  uint64: bounds,
  string: ['minLen', 'maxLen', 'maxBytes', 'pattern', 'example'],
  bytes: ['minLen', 'maxLen', 'example'],
  enum: ['definedOnly', 'notIn', 'example'],
  repeated: ['minItems', 'maxItems', 'unique', 'items'],
  map: ['minPairs', 'maxPairs', 'keys', 'values'],
};

// Whether the quick tests know all rules that are set.
function isKnown(rules: FieldRules): boolean {
  const { type } = rules;
  if (!onlySets(FieldRulesSchema, rules, ['required', 'ignore', type.case ?? ''])) return false;
  if (type.case === undefined) return true;
  const schema = FieldRulesSchema.fields.find(({ localName }) => localName === type.case)?.message;
  return schema !== undefined && onlySets(schema, type.value, knownRules[type.case] ?? []);
}

function onlySets(schema: DescMessage, rules: Message, names: readonly string[]): boolean {
  const reflected = reflect(schema, rules);
  const isSetUnknown = schema.fields.some((field) => reflected.isSet(field) && !names.includes(field.localName));
  return !isSetUnknown && !rules.$unknown?.length;
}

// The test of a field's value; `undefined`: every value passes.
function testOf(field: DescField): Test | undefined {
  const rules = rulesOf(field);
  if (rules !== undefined) {
    if (rules.ignore === Ignore.ALWAYS) return undefined;
    if (!isKnown(rules)) return never;
  }
  const test = valueTest(field, rules);
  if (test === undefined || rules?.ignore !== Ignore.IF_ZERO_VALUE) return test;
  return (value) => isZero(value) || test(value);
}

function valueTest(field: DescField, rules: FieldRules | undefined): Test | undefined {
  switch (field.fieldKind) {
    case 'scalar':
    case 'enum':
      return scalarTest(rules, field.fieldKind === 'enum' ? field.enum : undefined);
    case 'message':
      return messageTest(field.message);
    case 'list':
      return listTest(field, rules?.type.case === 'repeated' ? rules.type.value : undefined);
    case 'map':
      return mapTest(field, rules?.type.case === 'map' ? rules.type.value : undefined);
    default:
      return field satisfies never;
  }
}

function listTest(field: DescField & { fieldKind: 'list' }, rules: RepeatedRules | undefined): Test | undefined {
  const item = field.message === undefined ? scalarTest(rules?.items, field.enum) : messageTest(field.message);
  if (rules === undefined && item === undefined) return undefined;
  const { minItems = 0n, maxItems, unique } = rules ?? {};
  if (unique || (rules?.items !== undefined && field.message !== undefined)) return never;
  const [min, max] = [Number(minItems), maxItems === undefined || maxItems === 0n ? Infinity : Number(maxItems)];
  return (values: readonly never[]) => {
    if (values.length < min || values.length > max) return false;
    if (item !== undefined) for (const value of values) if (!item(value)) return false;
    return true;
  };
}

function mapTest(field: DescField & { fieldKind: 'map' }, rules: MapRules | undefined): Test | undefined {
  const key = scalarTest(rules?.keys, undefined);
  const value = field.message === undefined ? scalarTest(rules?.values, field.enum) : messageTest(field.message);
  if (rules === undefined && value === undefined) return undefined;
  if (rules?.values !== undefined && field.message !== undefined) return never;
  const [min, max] = [Number(rules?.minPairs ?? 0n), rules?.maxPairs ? Number(rules.maxPairs) : Infinity];
  return (pairs: Record<string, never>) => {
    const entries = Object.entries(pairs);
    if (entries.length < min || entries.length > max) return false;
    return entries.every(([name, one]) => (key?.(name as never) ?? true) && (value?.(one) ?? true));
  };
}

function messageTest(schema: DescMessage): Test | undefined {
  const check = compiled(schema);
  return check === 'no rules' ? undefined : (check as Test);
}

function scalarTest(rules: FieldRules | undefined, of: DescEnum | undefined): Test | undefined {
  if (rules === undefined) return undefined;
  if (!isKnown(rules)) return never;
  if (rules.type.case === undefined) return undefined;
  switch (rules.type.case) {
    case 'float':
    case 'double':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64': {
      const { greaterThan, lessThan } = rules.type.value;
      const finite = 'finite' in rules.type.value && rules.type.value.finite;
      const gte = greaterThan.case === 'gte' ? greaterThan.value : undefined;
      const lte = lessThan.case === 'lte' ? lessThan.value : undefined;
      return (value: number | bigint) =>
        (gte === undefined || value >= gte) &&
        (lte === undefined || value <= lte) &&
        (!finite || Number.isFinite(Number(value)));
    }
    case 'string': {
      const { minLen, maxLen, maxBytes, pattern } = present(rules.type.value);
      const expression = pattern === undefined || pattern === '' ? undefined : new RegExp(pattern, 'u');
      const [min, max, bytes] = [Number(minLen ?? 0n), toBound(maxLen), toBound(maxBytes)];
      return (value: string) => {
        const { length } = value;
        // Lengths are counted in code points, of which there are at least half as many, and at most as many as units.
        if (length > max || (length < 2 * min && !(min <= 1 && length >= min))) return false;
        if (length * 3 > bytes && Buffer.byteLength(value) > bytes) return false;
        return expression === undefined || expression.test(value);
      };
    }
    case 'bytes': {
      const { minLen, maxLen } = present(rules.type.value);
      const [min, max] = [Number(minLen ?? 0n), toBound(maxLen)];
      return (value: Uint8Array) => value.length >= min && value.length <= max;
    }
    case 'enum': {
      const { definedOnly, notIn } = rules.type.value;
      const refused = new Set(notIn);
      const defined = new Set(of?.values.map(({ number }) => number));
      return (value: number) => (!definedOnly || defined.has(value)) && !refused.has(value);
    }
    default:
      return never;
  }
}

// Rules are of proto2: what is not set has a default by the prototype, and does not count.
function present<T extends object>(rules: T): Partial<T> {
  return Object.fromEntries(Object.entries(rules)) as Partial<T>;
}

const toBound = (limit: bigint | undefined) => (limit === undefined ? Infinity : Number(limit));
