import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { type KnownValues, textFor, wholeNumber } from './values.ts';

/** Deepest nesting of a message. */
const maxDepth = 4;

/**
 * Returns an arbitrary of messages in protobuf's JSON, made from the contract: every field has a value of its type, of which some break its
 * rules. Unset fields and members of a oneof are chosen too.
 */
export function messageJson(desc: DescMessage, known: KnownValues, depth = 0): fc.Arbitrary<unknown> {
  const special = wellKnown[desc.typeName];
  if (special !== undefined) return special;
  const alone = desc.fields.filter(({ oneof }) => oneof === undefined);
  const record = fc.record(Object.fromEntries(alone.map((field) => [field.jsonName, fieldJson(field, known, depth)])), {
    requiredKeys: [],
  });
  const choices = desc.oneofs.map((oneof) =>
    fc.oneof(
      fc.constant({}),
      ...oneof.fields.map((field) =>
        fieldJson(field, known, depth).map((value): Record<string, unknown> => ({ [field.jsonName]: value })),
      ),
    ),
  );
  return fc.tuple(record, ...choices).map((parts) => Object.assign({}, ...parts) as unknown);
}

function fieldJson(field: DescField, known: KnownValues, depth: number): fc.Arbitrary<unknown> {
  const one = () => valueJson(field, known, depth);
  switch (field.fieldKind) {
    case 'list':
      return fc.oneof(
        { weight: 9, arbitrary: fc.array(one(), { maxLength: 3 }) },
        {
          weight: 1,
          arbitrary: fc.tuple(one(), fc.constantFrom(33, 200)).map(([value, count]) => Array(count).fill(value)),
        },
      );
    case 'map':
      return fc.dictionary(textFor('', known), one(), { maxKeys: 3 });
    default:
      return one();
  }
}

function valueJson(field: DescField, known: KnownValues, depth: number): fc.Arbitrary<unknown> {
  const { message, enum: named, scalar } = field;
  if (message !== undefined)
    return depth >= maxDepth ? fc.constant({}) : lazily(() => messageJson(message, known, depth + 1));
  if (named !== undefined) {
    return fc.oneof(
      fc.constantFrom(...named.values.map(({ name }) => name)),
      fc.constantFrom<unknown>(0, 99, -1, 'NONE'),
    );
  }
  return scalarJson(scalar, field.name, known);
}

/** Messages that hold themselves are made when they are chosen. */
function lazily<T>(make: () => fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.constant(null).chain(make);
}

function scalarJson(scalar: ScalarType | undefined, name: string, known: KnownValues): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.STRING:
      return textFor(name, known);
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return fc.oneof(
        fc.constantFrom<unknown>('NaN', 'Infinity', '-Infinity', 0, -1, 1, 2.5, 1e30),
        fc.float({ noNaN: true }),
      );
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return wholeNumber(-(2 ** 31), 2 ** 31 - 1);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return wholeNumber(0, 2 ** 32 - 1);
    default:
      return fc.oneof(
        wholeNumber(0, 1000),
        fc.constantFrom(0n, 2n ** 63n - 1n, 2n ** 64n - 1n, -(2n ** 63n)).map(String),
      );
  }
}

/** Messages whose JSON is not an object of their fields. */
const wellKnown: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'google.protobuf.Timestamp': fc.constantFrom(
    '2026-12-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999999Z',
    '2026-13-01T00:00:00Z',
  ),
  'google.protobuf.Duration': fc.constantFrom('1s', '-1s', '315576000000s', '0.000000001s', '1h'),
  'google.protobuf.FieldMask': fc.constantFrom('', 'name', 'a.b,c', '.'),
  'google.protobuf.Struct': fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
  'google.protobuf.Value': fc.jsonValue({ maxDepth: 2 }),
  'google.protobuf.Any': fc.constant({ '@type': 'type.googleapis.com/google.protobuf.Empty' }),
};
