import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from '@bufbuild/protobuf';
import { type FieldRules, field as fieldRules } from '#gen/buf/validate/validate_pb.ts';

/**
 * Returns the fields without a bound in requests and in all messages that they hold, by full name. A string, bytes, list or map needs
 * a largest size; a number needs a largest value, and a smallest one if its type has negative values.
 */
export function unboundedFields(requests: Iterable<DescMessage>): string[] {
  const seen = new Set<DescMessage>();
  const broken: string[] = [];
  const visit = (message: DescMessage) => {
    // Types of protobuf itself have no rules of their own.
    if (seen.has(message) || message.typeName.startsWith('google.protobuf.')) return;
    seen.add(message);
    for (const field of message.fields) {
      if (!isBounded(field)) broken.push(`${message.typeName}.${field.name}`);
      if (field.message !== undefined) visit(field.message);
    }
  };
  for (const request of requests) visit(request);
  return broken.sort();
}

function isBounded(field: DescField): boolean {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
  switch (field.fieldKind) {
    case 'scalar':
      return isScalarBounded(field.scalar, rules);
    case 'list': {
      const list = rules?.type.case === 'repeated' ? rules.type.value : undefined;
      return has(list, 'maxItems') && (field.scalar === undefined || isScalarBounded(field.scalar, list?.items));
    }
    case 'map': {
      const map = rules?.type.case === 'map' ? rules.type.value : undefined;
      const areValuesBounded = field.scalar === undefined || isScalarBounded(field.scalar, map?.values);
      return has(map, 'maxPairs') && isScalarBounded(field.mapKey, map?.keys) && areValuesBounded;
    }
    default:
      return true;
  }
}

function isScalarBounded(type: ScalarType, rules: FieldRules | undefined): boolean {
  const kind = rules?.type;
  switch (type) {
    case ScalarType.BOOL:
      return true;
    case ScalarType.STRING:
      return kind?.case === 'string' && ['maxLen', 'maxBytes', 'len', 'lenBytes'].some((name) => has(kind.value, name));
    case ScalarType.BYTES:
      return kind?.case === 'bytes' && ['maxLen', 'len'].some((name) => has(kind.value, name));
    default: {
      if (kind?.value === undefined || !('lessThan' in kind.value) || !('greaterThan' in kind.value)) return false;
      const isSigned = !unsigned.has(type);
      return kind.value.lessThan.case !== undefined && (!isSigned || kind.value.greaterThan.case !== undefined);
    }
  }
}

const unsigned = new Set([ScalarType.UINT32, ScalarType.UINT64, ScalarType.FIXED32, ScalarType.FIXED64]);

// Rules are of proto2: a rule that is not set is on the prototype.
const has = (rules: object | undefined, name: string) => rules !== undefined && Object.hasOwn(rules, name);
