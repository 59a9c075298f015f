import { type DescField, getOption, hasOption, ScalarType } from '@bufbuild/protobuf';
import { field as fieldRules } from '#gen/buf/validate/validate_pb.ts';
import { ifSet } from './settings.ts';

/** Returns the values that the rules of a configuration field allow, in words: "1 to 1000"; `undefined`: all of its type. */
export function rangeOf(field: DescField): string | undefined {
  if (field.enum !== undefined) {
    const names = field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name);
    return names.join(', ');
  }
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules).type : undefined;
  switch (rules?.case) {
    case 'float':
    case 'double':
    case 'uint32':
    case 'uint64': {
      const { greaterThan, lessThan } = rules.value;
      const from = greaterThan.case === 'gte' ? greaterThan.value : 0;
      const to = lessThan.case === 'lte' ? lessThan.value : undefined;
      return to === undefined ? `${from} or more` : `${from} to ${to}`;
    }
    case 'string': {
      const pattern = ifSet(rules.value, 'pattern');
      const words = pattern === undefined ? null : /^\^\(([\w|-]+)\)\$$/.exec(pattern);
      if (words?.[1] !== undefined) return words[1].replaceAll('|', ', ');
      if (pattern !== undefined) return `text that matches ${pattern}`;
      const to = ifSet(rules.value, 'maxLen');
      return to === undefined ? undefined : `${ifSet(rules.value, 'minLen') ?? 0} to ${to} characters`;
    }
    case 'repeated': {
      const to = ifSet(rules.value, 'maxItems');
      return to === undefined ? undefined : `${ifSet(rules.value, 'minItems') ?? 0} to ${to} entries`;
    }
    case 'map': {
      const to = ifSet(rules.value, 'maxPairs');
      return to === undefined ? undefined : `up to ${to} entries`;
    }
    default:
      return undefined;
  }
}

/** Returns the type of a field's values in words. */
export function kindOf(field: DescField): string {
  if (field.fieldKind === 'list') return 'a list';
  if (field.message !== undefined || field.fieldKind === 'map') return 'a mapping with keys';
  switch (field.scalar) {
    case ScalarType.BOOL:
      return 'true or false';
    case ScalarType.STRING:
      return 'text';
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return 'a number';
    default:
      return field.enum === undefined ? 'a whole number' : 'one of the names';
  }
}
